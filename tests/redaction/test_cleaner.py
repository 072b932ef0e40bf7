"""Keys in whatever form they stand are found, and what only looks random is left alone."""

from __future__ import annotations

import base64
import html
import json
import re
import time

import pytest

from nbagents.redaction import MARK, redact
from nbagents.redaction.cleaner import Cleaner
from tests.redaction.corpus import DICE, HARMLESS, INNOCENT, KEYS, mixed, some


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
        assert (
            cleaned == form(around.format(MARK))
            or "://" in around
            or "s3" in around
            or "aws" in around
        )
        assert not set(re.findall(r"\w{12,}", secret)) & set(re.findall(r"\w{12,}", cleaned))


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


BETWEEN = [
    *"\x00\x07\x7f\xad\u034f\u200c\u200e\u202e\u2061\ufe0f\ufeff\ue000\U000e0041",
    "\x1b[1m",
    "\x1b[38;5;1m",
    "\x1bM",
    "\x1b(B",
    "\x1b]8;;http://x\x1b\\",
    "\x1b]0;title\x07",
    "<b>",
    "<img alt=''>",
    "<style>a{b:c}</style>",
    "<!-- a -->",
    "&zwnj;",
]


@pytest.mark.parametrize("between", BETWEEN, ids=ascii)
@pytest.mark.parametrize(
    "write", [str, json.dumps, lambda text: json.dumps(text, ensure_ascii=False)]
)
def test_what_nobody_sees_in_the_middle_of_a_key_does_not_hide_it(between, write):
    key = "ghp_" + mixed(36)
    cleaned = redact(write(f"before {key[:14]}{between}{key[14:]} after"))
    assert not set(re.findall(r"\w{8,}", key)) & set(re.findall(r"\w{8,}", cleaned))
    assert key[:14] not in cleaned
    assert key[14:] not in cleaned
    assert MARK in cleaned


def test_an_escape_in_a_literal_does_not_hide_a_key():
    key = mixed(36)
    assert redact(f"'ghp\\x5f{key}'") == f"'{MARK}'"


@pytest.mark.parametrize("option", ["-u", "--user"])
def test_a_password_on_the_command_line_is_a_key(option):
    password = mixed(12)
    assert (
        redact(f"curl {option} admin:{password} https://h/")
        == f"curl {option} admin:{MARK} https://h/"
    )


def test_the_private_lines_of_a_putty_key_are_a_key():
    lines = "\n".join(some(64) for _ in range(4))
    text = f"PuTTY-User-Key-File-3: ssh-rsa\nPrivate-Lines: 5\n{lines}\n{some(20)}\nPrivate-MAC: 0"
    assert redact(text) == f"PuTTY-User-Key-File-3: ssh-rsa\n{MARK}\nPrivate-MAC: 0"
