"""Keys in whatever form they stand are found, and what only looks random is left alone."""

from __future__ import annotations

import base64
import html
import json
import random
import re
import string
import time
import uuid

import pytest

from nbagents.redaction import MARK
from nbagents.redaction.cleaner import Cleaner

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
    told = {"name": "API_KEY", "value": value}
    assert cleaner.json([told, {"value": value[::-1]}]) == [
        {"name": "API_KEY", "value": MARK},
        {"value": value[::-1]},
    ]


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


RANDOM = "Xk39dLq2Zt7Wb1PvQ8"
NAMED_IN_A_TABLE = {
    "a row of HTML": "<tr><th>api_key</th><td>{}</td></tr>",
    "the head of a column of HTML": (
        "<table>\n <tr>\n  <th></th>\n  <th>user</th>\n  <th>api_key</th>\n </tr>\n"
        " <tr>\n  <th>0</th>\n  <td>ann</td>\n  <td>{}</td>\n </tr></table>"
    ),
    "a series": "user       ann\napi_key    {}\ndtype: object",
    "the head of a column": "  user             api_key\n0  ann  {}\n1  bob                None",
    "a column alone": "              api_key\n0  {}",
    "Markdown": "| name | value |\n| --- | --- |\n| **password** | `{}` |",
    "the head of a column of Markdown": "| user | API key |\n|---|---|\n| ann | {} |",
    "a drawn table": "┏━━━━━━┳━━━━━━━┓\n┃ user ┃ token ┃\n┡━━━━━━╇━━━━━━━┩\n│ ann  │ {} │",
    "tabs": "user\tsecret\nann\t{}",
    "commas": "user,password\nann,{}",
    "a column that says its name beneath": "0    Hello2\n1    {}\nName: api_key, Length: 9, dtype: object",
    "a row after other cells": "api_key  ann  bob  {}",
    "a row of HTML after other cells": "<tr><th>token</th><td>ann</td><td>{}</td></tr>",
}
HEADERS = {
    "an unknown name": "X-Auth: {}",
    "another": "X-Auth-Token: {}",
    "a scheme": "Authorization: token {}",
    "no scheme": "authorization = {}",
    "a dict": '{{"X-Auth": "{}"}}',
    "an assignment": 'headers["X-Auth"] = "{}"',
    "a pair": '("Authorization", "ApiKey {}")',
    "a proxy": "Proxy-Authorization: Digest {}",
}
ADDRESSES = {
    "a name": "https://h.io/v1?api%5Fkey={}&page=2",
    "all of it": "https://h.io/v1?next=%3Fapi%5Fkey%3D{}",
    "twice": "https://h.io/v1?api%255Fkey%253D{}",
}
PLACES = {
    f"{kind}: {name}": text
    for kind, texts in {"table": NAMED_IN_A_TABLE, "header": HEADERS, "URL": ADDRESSES}.items()
    for name, text in texts.items()
}


IN_CODE = {
    "bytes": "api_key = b'{}'",
    "a raw string": 'PASSWORD = r"{}"',
    "a formatted string": "TOKEN=f'{}'",
    "an annotation": "client_token: str = '{}'",
    "a default": "def f(api_key: str | None = '{}'):",
    "a comparison": "if api_key == '{}':",
    "a call": "client.set_api_key('{}')",
    "a type of secret": "SecretStr('{}')",
    "an option": "curl --token {}",
    "another option": "mysql --db-password={}",
    "XML": "<apiKey>{}</apiKey>",
    "XML with a line for it": "<k:api-key>\n  {}\n</k:api-key>",
    "a list of names and values": '[{"name": "API_KEY", "value": "{}"}]',
    "the same in YAML": "env:\n  - name: DB_PASSWORD\n    value: {}",
    "a header of Azure": '{"Ocp-Apim-Subscription-Key": "{}"}',
}


@pytest.mark.parametrize("text", IN_CODE.values(), ids=IN_CODE)
def test_a_random_value_is_a_key_however_code_writes_it(text):
    cleaner = Cleaner()
    assert cleaner.text(text.replace("{}", RANDOM)) == text.replace("{}", MARK)


@pytest.mark.parametrize(
    "text",
    [
        "PRIMARY_KEY = 'order_id_2024'",
        "CACHE_KEY = 'user-profile-v2-2024'",
        "CONSTRAINT pk_orders_2024_line_items_archive PRIMARY KEY",
        "token: 550e8400-e29b-41d4-a716-446655440000",
        "grid --max-tokens 4096 --tokenizer bert-base-v2-cased",
    ],
)
def test_names_and_ids_of_databases_are_no_keys(text):
    cleaner = Cleaner()
    assert (cleaner.text(text), cleaner.found) == (text, [])


@pytest.mark.parametrize("text", PLACES.values(), ids=PLACES)
def test_a_random_value_is_a_key_wherever_a_name_stands_by_it(text):
    cleaner = Cleaner()
    assert cleaner.text(text.format(RANDOM)) == text.format(MARK)
    assert len(cleaner.found) == 1


@pytest.mark.parametrize("name", ["X-Auth", "authorization", "HTTP_AUTHORIZATION"])
@pytest.mark.parametrize("scheme", ["", "token "])
def test_a_header_in_json_is_a_header(name, scheme):
    assert Cleaner().json({"headers": {name: scheme + RANDOM}}) == {"headers": {name: MARK}}


@pytest.mark.parametrize("login", [b"user:pass", b"ann:open sesame"])
def test_a_name_and_a_password_in_base64_are_a_key_though_they_are_letters(login):
    coded = base64.b64encode(login).decode()
    assert Cleaner().text(f"Authorization: Basic {coded}") == f"Authorization: Basic {MARK}"
    assert Cleaner().json({"Authorization": f"Basic {coded}"}) == {"Authorization": f"Basic {MARK}"}


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize(("secret", "around"), KEYS.values(), ids=KEYS)
def test_a_key_that_a_terminal_broke_is_found_and_leaves_no_half(secret, around, width):
    text = around.format(secret)
    if "\n" in text:
        text = text.replace("\n", "\\n")
    line = "." * (width - len(text) + len(secret) // 2 - 1) + " " + text
    wrapped = "\n".join(line[at : at + width] for at in range(0, len(line), width))
    cleaner = Cleaner()
    cleaned = cleaner.text(f"first\n{wrapped}\nlast")
    assert cleaner.found
    halves = re.findall(r"\w{12,}", "\n".join(secret.split("\n")))
    assert not any(half[:12] in cleaned or half[-12:] in cleaned for half in halves[-1:])


def test_the_line_after_a_full_one_stays_where_it_has_a_name_of_its_own():
    text = f"first = 1\nTOKEN={RANDOM + some(40)}\nOTHER=plain\n"
    assert Cleaner().text(text) == f"first = 1\nTOKEN={MARK}\nOTHER=plain\n"


@pytest.mark.parametrize(
    "name", ["DB_PASSWORD", "DB_PASSWD", "DB_PWD", "DB_PASS", "ACME_KEY", "A_TOKEN", "A_SECRET"]
)
def test_a_short_value_of_a_variable_is_a_key_where_it_is_a_whole_word(monkeypatch, name):
    monkeypatch.setenv(name, "tig3r")
    cleaner = Cleaner()
    assert cleaner.text("scott/tig3r, tig3rs") == f"scott/{MARK}, tig3rs"
    assert cleaner.json({"tig3r": "tig3r"}) == {"tig3r": MARK}


@pytest.mark.parametrize(
    ("name", "value"), [("PWD", "here"), ("OLDPWD", "here"), ("A_KEY", "true"), ("A_KEY", "abc")]
)
def test_a_variable_that_holds_no_secret_stops_nothing(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert Cleaner().text(f"it is {value} now") == f"it is {value} now"


def test_what_is_a_key_in_one_place_is_one_where_nothing_says_so():
    named, bare = Cleaner(), Cleaner()
    named.text(f'api_key = "{RANDOM}"')
    assert bare.text(f"it is {RANDOM}.") == f"it is {RANDOM}."
    assert Cleaner(named.values).text(f"it is {RANDOM}.") == f"it is {MARK}."


INNOCENT = {
    "git": "commit 9fceb02d0ae598e95dc970b74767f19372d61af8\nAuthor: Ann\ntokens\n3f9a2b7 Say more",
    "ids": f"run_id  tokens  agent\n{some(12)}  1200  clerk\n{uuid.UUID(int=DICE.getrandbits(128))}  7  x",
    "a frame": "   token_count        run_id  key\n0         2000  a81Bc72Dq9Z1  id1",
    "html": f"<tr><th>token_count</th><th>run</th></tr><tr><td>12</td><td>{some(20)}</td></tr>",
    "code": "f(max_tokens=2000, key=lambda x: x)\nrows.sort(key=by_id2)\nauth = oauth2_scheme_2\n",
    "models": "| model | max tokens |\n| --- | --- |\n| gpt-4o-mini-2024-07-18 | 16k |\n",
    "checksums": f"sha256:{some(64, '0123456789abcdef')}\n| file | sha256:{some(64, '0123456789abcdef')} |",
    "dates": "token: 2024-01-15T12:30:45Z\n| last token | 2024-01-15T12:30:45Z |",
    "headers": f"X-Request-Id: {some(20)}\nETag: W/{some(20)}\nAuthor: {some(20)}\nBasic research",
    "address": "https://h.io/?q=a%20b%3Dc&page%5Ftoken=3&id=9fceb02d0ae598e95dc970b7",
    "prose": "The token\nis counted, 20 of them; a password is base64-encoded, and secret  sha256-hash",
    "schema": "| name | type |\n|---|---|\n| api_key | varchar(32) |\n| db_host_1 | localhost:5432 |",
    "blocks": "\n".join(some(76) for _ in range(40)),
}


@pytest.mark.parametrize("text", INNOCENT.values(), ids=INNOCENT)
def test_ordinary_text_of_notebooks_is_left_alone(text):
    cleaner = Cleaner()
    assert cleaner.text(text) == text
    assert cleaner.bundle({"text/html": text, "text/x-own": text}) == {
        "text/html": text,
        "text/x-own": text,
    }
    assert cleaner.found == []


OWN = "application/x-acme"
PACKED = base64.b64encode(f"{'words ' * 20}api_key={RANDOM}".encode()).decode()


def test_an_unknown_mime_type_is_text_and_unknown_json_is_walked():
    key = "ghp_" + some(36)
    assert Cleaner().bundle({OWN: f"<{key}>"}) == {OWN: f"<{MARK}>"}
    assert Cleaner().bundle({OWN: {"a": [key]}}) == {OWN: {"a": [MARK]}}
    assert Cleaner().bundle({"image/png": key}) == {"image/png": MARK}
    assert Cleaner().bundle({f"text/{key}": "x"}) == {f"text/{MARK}": "x"}
    [cleaned] = Cleaner().bundle({OWN: PACKED}).values()
    assert base64.b64decode(cleaned).decode().endswith(f"api_key={MARK}")
    picture = base64.b64encode(DICE.randbytes(5000)).decode()
    assert Cleaner().bundle({OWN: picture}) == {OWN: picture}


@pytest.mark.parametrize(
    "piece",
    [
        "| api_key ",
        "Authorization: ",
        "<tr><td>api_key</td>\n",
        "%5F",
        "a" * 79 + "b\n",
        "Name: api_key, dtype: object\n",
    ],
)
def test_two_megabytes_made_to_be_slow_take_seconds(piece):
    text = piece * (2_000_000 // len(piece))
    before = time.process_time()
    assert Cleaner().text(text) == text
    assert time.process_time() - before < 30


def test_many_keys_take_no_longer_than_few():
    text = "\n".join(f"api_key = '{some(20)}'" for _ in range(30_000))
    before = time.process_time()
    cleaner = Cleaner()
    assert cleaner.text(text).count(MARK) == len(cleaner.found) > 29_000
    assert time.process_time() - before < 30
