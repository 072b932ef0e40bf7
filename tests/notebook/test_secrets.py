"""Keys in whatever form they stand are found, and what only looks random is left alone."""

from __future__ import annotations

import base64
import html
import json
import random
import re
import string
import uuid

import pytest

from nbagents.notebook.secrets import MARK, Cleaner

LETTERS = string.ascii_letters + string.digits
UPPER = string.ascii_uppercase + "234567"
DICE = random.Random(5)


def some(length: int, letters: str = LETTERS) -> str:
    return "".join(DICE.choice(letters) for _ in range(length))


def jwt() -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": some(8), "iat": 1716239022})
    coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts]
    return ".".join([*(part.rstrip("=") for part in coded), some(43)])


def private_key() -> str:
    lines = "\n".join(some(64) for _ in range(12))
    return f"-----BEGIN RSA PRIVATE KEY-----\n{lines}\n-----END RSA PRIVATE KEY-----"


# Made by dice, so that this file holds nothing that looks like a key.
KEYS = {
    "openai": ("sk-" + some(20) + "T3BlbkFJ" + some(20), "{}"),
    "openai project": ("sk-proj-" + some(74) + "T3BlbkFJ" + some(74), "{}"),
    "openai-like": ("sk-" + some(48), "{}"),
    "anthropic": ("sk-ant-api03-" + some(93) + "AA", "{}"),
    "openrouter": ("sk-or-v1-" + some(64, "0123456789abcdef"), "{}"),
    "aws id": ("AKIA" + some(16, UPPER), "{}"),
    "aws secret": (some(40), "aws_secret_access_key = {}"),
    "github": ("ghp_" + some(36), "{}"),
    "github fine-grained": (f"github_pat_{some(22)}_{some(59)}", "{}"),
    "gitlab": ("glpat-" + some(20), "{}"),
    "slack": (f"xoxb-{some(12, '123456789')}-{some(13, '123456789')}-{some(24)}", "{}"),
    "google": ("AIza" + some(35), "{}"),
    "hugging face": ("hf_" + some(34, string.ascii_letters), "{}"),
    "groq": ("gsk_" + some(52), "{}"),
    "stripe": ("sk_live_" + some(24), "{}"),
    "jwt": (jwt(), "{}"),
    "private key": (private_key(), "{}"),
    "password in a URL": (some(14), "postgresql://app:{}@db.acme-corp.io:5432/main"),
    "bearer": (some(40), "Authorization: Bearer {}"),
    "password": ("q7" + some(12), 'password = "{}"'),
    "own key": ("k3" + some(30), 'os.environ["ACME_API_KEY"] = "{}"'),
}


def as_tool_arguments(text: str) -> str:
    return json.dumps({"body": json.dumps({"note": f"first\n{text}"})})


def as_picture(text: str) -> str:
    svg = f"<svg><text>{html.escape(text)}</text></svg>"
    return f'<img src="data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}">'


FORMS = {
    "plain": lambda text: f"x = 1\n{text}\n",
    "json in json": as_tool_arguments,
    "html": lambda text: f"<p>{html.escape(text)}</p>",
    "broken by wbr": lambda text: f"{html.escape(text[:9])}<wbr>{html.escape(text[9:])}",
    "in spans": lambda text: (
        "<b>" + "</b><i>".join(map(html.escape, re.findall("(?s).{1,7}", text)))
    ),
    "coloured": lambda text: f"\x1b[31m{text[:11]}\x1b[0m{text[11:]}",
    "with a soft hyphen": lambda text: f"{text[:10]}\u00ad{text[10:]}",
    "in numbers": lambda text: "".join(f"&#{ord(letter)};" for letter in text),
    "in an svg": as_picture,
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize(("secret", "around"), KEYS.values(), ids=KEYS)
def test_a_key_is_found_and_taken_out_in_whatever_form_it_stands(secret, around, form):
    cleaner, again = Cleaner(), Cleaner()
    cleaned = cleaner.text(form(around.format(secret)))
    assert cleaner.found
    assert secret not in " ".join(cleaner.found)
    assert again.text(cleaned) == cleaned
    assert not again.found
    if form is FORMS["plain"]:
        assert cleaned == form(around.format(MARK)) or "://" in around or "aws" in around
        assert not set(re.findall(r"\w{12,}", secret)) & set(re.findall(r"\w{12,}", cleaned))


def hashes() -> str:
    return "\n".join(f"{some(64, '0123456789abcdef')}  part-{n}.parquet" for n in range(200))


def ids() -> str:
    return json.dumps(
        [
            {"id": some(8, "0123456789abcdef"), "run_id": some(12), "call_id": f"call_{some(24)}"}
            | {"tool": f"toolu_01{some(22)}", "response": f"resp_{some(48, '0123456789abcdef')}"}
            | {"uuid": str(uuid.UUID(int=DICE.getrandbits(128))), "key": n, "token": f"tok{n}"}
            for n in range(200)
        ]
    )


HARMLESS = {
    "hashes": hashes(),
    "ids": ids(),
    "a picture": f'<img src="data:image/png;base64,{base64.b64encode(DICE.randbytes(60_000)).decode()}">',
    "code": (
        "api_key = os.environ['OPENAI_API_KEY']\npassword = getpass()\nmax_tokens = 4096\n"
        "token = tokenizer.encode(text)[0]\nclient = Client(api_key=settings.api_key_v2)\n"
        "secret = None\ntoken: str = ''\ndf.merge(other, on='primary_key_of_2024')\n"
    ),
    "instructions": (
        "Set OPENAI_API_KEY=sk-... or HF_TOKEN=your_token_here2, password: ********\n"
        "postgresql://user:password@localhost/db, AKIAIOSFODNN7EXAMPLE, Bearer <token>\n"
        "export API_KEY=$MY_KEY_2; see https://docs.acme.io/api-key-v2/token1 and sk-learn"
    ),
    "a public key": f"ssh-rsa AAAAB3NzaC1yc2E{some(330)} me@host",
    "a table": "\n".join(f"{n}  {some(10)}  user{n}@example.com  10.0.0.{n}" for n in range(200)),
}


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS)
def test_hashes_ids_pictures_and_stand_ins_are_no_keys(text):
    cleaner = Cleaner()
    assert cleaner.text(text) == text
    assert cleaner.found == []


def test_a_value_is_a_key_where_its_name_says_so():
    cleaner = Cleaner()
    value = "v9" + some(20)
    cleaned = cleaner.json({"args": {"api_key": value, "digest": value[::-1]}})
    assert cleaned == {"args": {"api_key": MARK, "digest": value[::-1]}}


def test_the_value_of_a_key_in_the_environment_is_found_whatever_it_looks_like(monkeypatch):
    monkeypatch.setenv("ACME_TOKEN", "plain-old-words")
    cleaner = Cleaner()
    assert cleaner.text("it said plain-old-<b>words</b>") == f"it said {MARK}<b></b>"
    assert cleaner.found == ["the value of an environment variable"]


@pytest.mark.parametrize(
    "text", ["https://h/?q=p%40ss%2Fw0rd%21xyz", repr("p@ss/w0rd!xyz"), '"p@ss/w0rd!xyz"']
)
def test_the_value_of_a_variable_is_found_as_addresses_and_literals_write_it(monkeypatch, text):
    monkeypatch.setenv("SHOP_PASSWORD", "p@ss/w0rd!xyz")
    cleaner = Cleaner()
    assert "w0rd" not in cleaner.text(f"{text} and more")
    assert cleaner.found


@pytest.mark.parametrize("name", ["DB_PASS", "pw", "'db_pass'"])
def test_short_names_of_passwords_count(name):
    cleaner = Cleaner()
    cleaner.text(f"{name}: 'MTX6T5bC6O3hDpHJanr4VjXiMha2mn82r7HQm6Q7'")
    assert cleaner.found
