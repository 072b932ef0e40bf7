"""Keys made by dice, so that no file holds anything that looks like one, and what is no key."""

from __future__ import annotations

import base64
import json
import random
import string
import uuid

LETTERS = string.ascii_letters + string.digits
UPPER = string.ascii_uppercase + "234567"
HEX = "0123456789abcdef"
DICE = random.Random(5)


def some(length: int, letters: str = LETTERS) -> str:
    return "".join(DICE.choice(letters) for _ in range(length))


def mixed(length: int) -> str:
    """Something random that surely has letters of both kinds and digits."""
    return f"q7K{some(length - 6)}2xR"


def jwt() -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": some(8), "iat": 1716239022})
    coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts]
    return ".".join([*(part.rstrip("=") for part in coded), some(43)])


def private_key(kind: str = "RSA ") -> str:
    lines = "\n".join(some(64) for _ in range(12))
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{lines}\n-----END {kind}PRIVATE KEY-----"


def login() -> str:
    return base64.b64encode(f"ann:{mixed(14)}".encode()).decode()


KEYS = {
    "openai": ("sk-" + some(20) + "T3BlbkFJ" + some(20), "{}"),
    "openai project": ("sk-proj-" + mixed(74) + "T3BlbkFJ" + some(74), "{}"),
    "openai-like": ("sk-" + some(48), "{}"),
    "anthropic": ("sk-ant-api03-" + mixed(93) + "AA", "{}"),
    "openrouter": ("sk-or-v1-" + some(64, HEX), "{}"),
    "aws id": ("AKIA" + some(16, UPPER), "{}"),
    "aws session id": ("ASIA" + some(16, UPPER), "{}"),
    "aws secret": (mixed(40), "aws_secret_access_key = {}"),
    "aws secret beside its id": (
        mixed(40),
        f'boto3.client("s3", "{"AKIA" + some(16, UPPER)}", "{{}}")',
    ),
    "github": ("ghp_" + some(36), "{}"),
    "github oauth": ("gho_" + some(36), "{}"),
    "github user": ("ghu_" + some(36), "{}"),
    "github server": ("ghs_" + some(36), "{}"),
    "github refresh": ("ghr_" + some(76), "{}"),
    "github fine-grained": (f"github_pat_{some(22)}_{some(59)}", "{}"),
    "gitlab": ("glpat-" + mixed(20), "{}"),
    "slack": (f"xoxb-{some(12, '123456789')}-{some(13, '123456789')}-{some(24)}", "{}"),
    "slack app": (f"xapp-1-A{some(10, UPPER)}-{some(13, '123456789')}-{some(64, HEX)}", "{}"),
    "google": ("AIza" + some(35), "{}"),
    "google oauth": ("GOCSPX-" + mixed(28), "{}"),
    "hugging face": ("hf_" + some(34, string.ascii_letters), "{}"),
    "groq": ("gsk_" + some(52), "{}"),
    "stripe": ("sk_live_" + mixed(24), "{}"),
    "stripe restricted": ("rk_live_" + mixed(24), "{}"),
    "npm": ("npm_" + some(36), "{}"),
    "pypi": ("pypi-AgEIcHlwaS5vcmc" + some(70), "{}"),
    "sendgrid": (f"SG.{some(22)}.{some(43)}", "{}"),
    "telegram": (f"{some(10, '123456789')}:AA{some(33)}", "{}"),
    "discord": (f"M{some(23)}.{some(6)}.{some(27)}", "{}"),
    "jwt": (jwt(), "{}"),
    "private key": (private_key(), "{}"),
    "plain private key": (private_key(""), "{}"),
    "openssh key": (private_key("OPENSSH "), "{}"),
    "slack webhook": (
        f"hooks.slack.com/services/T{some(9, UPPER)}/B{some(9, UPPER)}/{some(24)}",
        "https://{}",
    ),
    "bearer": (mixed(40), "Authorization: Bearer {}"),
    "basic": (login(), "Authorization: Basic {}"),
    "password": (mixed(14), 'password = "{}"'),
    "telegram in a URL": (
        f"{some(10, '123456789')}:AA{some(33)}",
        "https://api.telegram.org/bot{}/send",
    ),
    "azure storage": (some(86) + "==", "AccountName=acme;AccountKey={};EndpointSuffix=x"),
    "connection string": (mixed(11), "Server=db;User Id=sa;Password={};Encrypt=yes"),
    "curl": (mixed(14), "curl -u admin:{} https://api.acme.io"),
    "password with signs": ("pa/q7Kx" + "@w0rd#1!", "mysql://root:{}@db.acme.io/main"),
    "user of a URL": (mixed(32), "https://{}@sentry.acme.io/1"),
    "signature of a URL": (some(43) + "%3D", "https://acme.blob.io/c?sv=2022&sig={}"),
    "own key": (mixed(32), 'os.environ["ACME_API_KEY"] = "{}"'),
} | {
    f"password of {scheme}": (mixed(14), f"{scheme}://app:{{}}@{host}/main")
    for scheme, host in {
        "postgresql": "db.acme-corp.io:5432",
        "postgresql+psycopg2": "db.example.com",
        "mysql+pymysql": "127.0.0.1",
        "mssql+pyodbc": "dsn",
        "oracle+oracledb": "db:1521",
        "snowflake": "account-1",
        "redshift+psycopg2": "example-cluster:5439",
        "clickhouse": "[::1]:9000",
        "mongodb+srv": "cluster0.example.mongodb.net",
        "rediss": "cache:6380",
        "amqps": "queue",
        "kafka": "broker-example",
        "ftp": "files.example.org",
        "sftp": "files",
        "smb": "share",
        "ldaps": "directory",
        "https": "git.example.com",
        "trino": "coordinator",
        "nats": "localhost:4222",
        "jdbc:postgresql": "db",
    }.items()
}


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

ORDINARY = {
    "hub": "from huggingface_hub import hf_hub_download, hf_transfer\nhf_model_revision_v2 = 'main'",
    "commits": "\n".join(f"{some(40, HEX)} Merge branch 'token-count-v2'" for _ in range(20)),
    "storage": (
        f'ETag: "{some(32, HEX)}-5"\nx-amz-version-id: {some(32)}\n'
        f's3_key: runs/2024/{some(32, HEX)}.parquet\ncache_key = "{some(64, HEX)}"'
    ),
    "packages": (
        f'"integrity": "sha512-{some(86)}=="\n--hash=sha256:{some(64, HEX)}\n'
        f"image: registry/app@sha256:{some(64, HEX)}\npip install git+https://git@github.com/org/repo@v1.2"
    ),
    "addresses": (
        "ssh://git@github.com/org/repo.git http://localhost:8888/lab?reset "
        "https://h.io:8443/@ann/post mailto:ann@example.com s3://bucket/a@b/c "
        "postgresql://localhost:5432/app redis://cache:6379/0 https://user@host/x"
    ),
    "placeholders": (
        "postgresql://user:password@localhost/db mysql://root:${DB_PASSWORD}@db "
        "mongodb+srv://<user>:<password>@cluster.mongodb.net https://user:pass@example.com/ "
        "curl -u user:pass https://api.example.com; Authorization: Bearer $TOKEN; Bearer <your-token>"
    ),
    "prices": "Total: $1,299.00 (EUR 1.187,50), 3 items; SKU AB-1234-CD, order 2024-000123, IBAN ends in 4711",
    "columns": (
        "customer_id  pk_customer_id  sk_product_2024  api_key_id  token_count  password_hash\n"
        "SELECT token_count, secret_santa_2024 FROM auth_user_groups WHERE key = 'a1b2'"
    ),
    "models": "claude-sonnet-4-5-20250929, gpt-4o-mini-2024-07-18, Qwen2.5-0.5B-Instruct-Q4_K_M.gguf",
    "prose": (
        "Use Bearer authentication; the token limit is 128k. Password: required, at least 8 characters!\n"
        "A secret: nobody knows. The key: practice. Basic authentication needs TLS1.2. Keys rotate every 90d."
    ),
    "code": (
        "def login(username: str, password: str) -> Token: ...\nreturn Auth(token=token2, secret=get_secret_v2())\n"
        "for key, value2 in items.items():\n    headers['Authorization'] = f'Bearer {token}'\nkeyring.set_password('svc', user1)"
    ),
    "markup": "<td class='key2'>100%</td> &amp; %20 <a href='/docs?page_token=2#auth-v2'>Tokens</a>",
    "a thumbnail": base64.b64encode(DICE.randbytes(900)).decode(),
}
