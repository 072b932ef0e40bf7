"""Keys that their own form gives away: what vendors issue, and what standards define."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import groupby

from nbagents.redaction.seen import Span

__all__ = ["aws_secrets", "may_go_on", "vendor_keys"]

# Names such as `hf_hub_download`, `sk-learn` and `pk_orders_2024` have no digit beside a letter. A
# star stands for what a vendor has hidden of a key.
_MIXED = r"(?=[A-Za-z0-9_-]{0,60}?(?:[A-Za-z][0-9]|[0-9][A-Za-z]|\*)|[A-Za-z]{20})"
_TWICE_MIXED = r"(?=\w{0,40}?[A-Za-z][0-9]\w{0,40}?[A-Za-z][0-9])"
_WORD = _MIXED + r"[A-Za-z0-9_*-]{10,}+"
_LETTERS = _MIXED + r"[A-Za-z0-9*]{10,}+"
_LONG = _MIXED + r"[A-Za-z0-9]{20,}+"
_HEX = r"[a-f0-9]{30,}+"
_PEM = (
    r" (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?:[^-]|-(?!----))*+-----END [A-Z0-9 ]{0,60}-----"
    r"|(?:\s|\\[nr]|[\"',+])*+(?:[A-Za-z0-9+/=]{8,}+(?:\s|\\[nr]|[\"',+])*+)++)"
)

# Each row: what it is, with what it begins, and what follows. The forms are those that the vendors
# document, or that https://github.com/mongodb/kingfisher and https://github.com/gitleaks/gitleaks
# have collected.
_ISSUED: tuple[tuple[str, str, str], ...] = (
    ("an Anthropic API key", "sk-ant-", _WORD),
    ("an OpenRouter API key", "sk-or-", _WORD),
    ("an API key", "sk-", r"(?:" + _MIXED + r"|(?!learn)(?=[A-Za-z]{10}))[A-Za-z0-9_*-]{10,}+"),
    ("an API key", "rk- sk_live_ sk_test_ rk_live_ rk_test_ pk_live_ pk-lf- nvapi- xai- gsk_", _WORD),
    ("an API key", "ak_live_ csk- pplx- fw_ tvly- tvly-dev- jina_ cpk_ r8_ lsv2_pt_ lsv2_sk_", _LONG),
    ("an API key", "sk_ rk_ pk_", _TWICE_MIXED + r"\w{24,}+"),
    ("a Hugging Face token", "hf_ api_org_", _LETTERS),
    ("a GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", _WORD),
    ("a GitLab token", "glpat- glptt- gldt- glrt- glcbt- glft- glsoat- glimt- glagent- gloas- GR1348941", _WORD),
    ("a Slack token", "xoxb- xoxa- xoxp- xoxr- xoxs- xoxo- xoxc- xoxd- xoxe- xoxe. xapp-", r"(?=[A-Za-z.-]{0,20}[0-9])[A-Za-z0-9.*%-]{10,}+"),
    ("a Google API key", "AIza", r"[A-Za-z0-9_-]{30,}+"),
    ("a Google OAuth secret", "GOCSPX-", _WORD),
    ("a Google OAuth token", "ya29. 1//0", r"[A-Za-z0-9._-]{20,}+"),
    ("an npm token", "npm_", r"[A-Za-z0-9]{30,}+"),
    ("a PyPI token", "pypi-Ag", r"[A-Za-z0-9_-]{30,}+"),
    ("a RubyGems key", "rubygems_", _HEX),
    ("a NuGet key", "oy2", r"[a-z0-9]{43}\b"),
    ("a crates.io token", "cio", r"[A-Za-z0-9]{32}\b"),
    ("a Docker token", "dckr_pat_ dckr_oat_", _WORD),
    ("a SendGrid key", "SG.", r"[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,}+"),
    ("a Mailgun key", "key-", r"[a-f0-9]{32}\b"),
    ("a Brevo key", "xkeysib- xsmtpsib-", _WORD),
    ("a Discord token", "mfa.", r"[A-Za-z0-9_-]{80,}+"),
    ("a Stripe webhook secret", "whsec_", r"[A-Za-z0-9+/=]{24,}+"),
    ("a Twilio key", "SK", r"[a-f0-9]{32}\b"),
    ("a Square token", "sq0atp- sq0csp- sq0idp- EAAA", r"[A-Za-z0-9_-]{20,}+"),
    ("a Facebook token", "EAAC EAAB EAAG", r"[A-Za-z0-9]{60,}+"),
    ("a PayPal token", "access_token$production$", r"[a-z0-9]{16}\$[a-f0-9]{32}"),
    ("an EasyPost key", "EZAK EZTK", r"[A-Za-z0-9]{54}\b"),
    ("a Shippo key", "shippo_live_ shippo_test_", r"[a-fA-F0-9]{40}"),
    ("a Shopify token", "shpat_ shpca_ shppa_ shpss_", _HEX),
    ("a Paystack or Razorpay key", "rzp_live_ rzp_test_", r"[A-Za-z0-9]{14,}+"),
    ("an Airtable token", "pat", r"[A-Za-z0-9]{14}\.[a-f0-9]{60,}+"),
    ("an Atlassian token", "ATATT3 ATCTT3 ATBB", r"[A-Za-z0-9_=-]{24,}+"),
    ("a HubSpot token", "pat-eu1- pat-na1- pat-na2-", r"[A-Za-z0-9]{8}-(?:[A-Za-z0-9]{4}-){3}[A-Za-z0-9]{12}"),
    ("a Linear key", "lin_api_ lin_oauth_", _WORD),
    ("a Notion token", "ntn_ secret_", r"(?=[A-Za-z]{0,20}[0-9])[A-Za-z0-9]{40,}+"),
    ("an Asana or ClickUp token", "pk_", r"[0-9]{7,9}_[0-9A-Z]{32}\b"),
    ("a Figma token", "figd_ figo_", _WORD),
    ("a Typeform token", "tfp_", _WORD),
    ("a Postman key", "PMAK-", r"[A-Za-z0-9]{24}-[A-Za-z0-9]{34}"),
    ("a Contentful token", "CFPAT-", _WORD),
    ("an Adafruit key", "aio_", r"[A-Za-z0-9]{28}\b"),
    ("an Adobe secret", "p8e- p8-", r"[a-z0-9-]{32}\b"),
    ("an Alibaba key", "LTAI", r"[A-Za-z0-9]{16,22}\b"),
    ("an age secret key", "AGE-SECRET-KEY-1", r"[0-9A-Z]{58}"),
    ("an AWS API key", "ABSK bedrock-api-key-", r"[A-Za-z0-9+/]{60,}+={0,2}"),
    ("an Artifactory token", "AKC cmVmdGtuOj", r"[A-Za-z0-9]{54,}+"),
    ("a DigitalOcean token", "dop_v1_ doo_v1_ dor_v1_", _HEX),
    ("a Databricks token", "dapi dkea dose", r"[a-f0-9]{32}(?:-[0-9])?\b"),
    ("a Doppler token", "dp.ct. dp.pt. dp.st. dp.sa. dp.scim. dp.audit.", r"[A-Za-z0-9._-]{40,}+"),
    ("a Dropbox token", "sl.", r"[A-Za-z0-9_-]{60,}+"),
    ("a Dynatrace token", "dt0c01. dt0s01. dt0s02. dt0s16.", r"[A-Z0-9]{8,24}\.[A-Z0-9]{64}"),
    ("a Fly.io token", "FlyV1 fo1_", r"[ ]?[A-Za-z0-9_+/=,-]{40,}+"),
    ("a Frame.io token", "fio-u-", r"[A-Za-z0-9_=-]{40,}+"),
    ("a Grafana token", "glsa_ glc_ eyJrIjoi", r"[A-Za-z0-9_+/-]{30,}+={0,2}"),
    ("a HashiCorp token", "hvs. hvb. hvr.", r"[A-Za-z0-9_-]{24,}+"),
    ("a Heroku token", "HRKU-", _WORD),
    ("an Honeycomb key", "hcaik_ hcaic_", _WORD),
    ("an Infracost key", "ico-", r"[A-Za-z0-9]{32}\b"),
    ("a New Relic key", "NRAK- NRJS- NRII- NRAA-", _WORD),
    ("an Okta token", "00", r"[A-Za-z0-9]{13}![A-Za-z0-9_.]{80,}+"),
    ("a PlanetScale token", "pscale_tkn_ pscale_pw_ pscale_oauth_", r"[A-Za-z0-9_.=-]{30,}+"),
    ("a Prefect key", "pnu_ pnb_", r"[A-Za-z0-9]{36}\b"),
    ("a Pulumi token", "pul-", r"[a-f0-9]{40}\b"),
    ("a ReadMe key", "rdme_", r"[A-Za-z0-9]{60,}+"),
    ("a Segment token", "sgp_", r"[A-Za-z0-9_]{40,}+"),
    ("a Sentry token", "sntrys_ sntryu_", r"[A-Za-z0-9+/=_-]{40,}+"),
    ("a Snyk or Sonar token", "squ_ sqp_ sqa_ snyk_uat.", r"[A-Za-z0-9._-]{40,}+"),
    ("a Sourcegraph token", "slk_", r"[a-f0-9]{64}\b"),
    ("a Supabase token", "sbp_ sb_secret_", r"[A-Za-z0-9_-]{24,}+"),
    ("a Tailscale key", "tskey-", _WORD),
    ("a Buildkite or CircleCI token", "bkua_ CCIPAT_ CCIPRJ_", _WORD),
    ("a Vercel or Netlify token", "vcp_ vci_ nfp_ nfc_", r"[A-Za-z0-9]{24,}+"),
    ("a MongoDB secret", "mdb_sa_sk_", _WORD),
    ("a Neon or Turso token", "napi_", r"[a-z0-9]{60,}+"),
    ("a Pinecone key", "pcsk_", _WORD),
    ("a Weights & Biases key", "wandb_v1_", _WORD),
    ("a Fleetbase or Flexport key", "flb_live_ shltm_", _WORD),
    ("a Dependency-Track key", "odt_", r"[A-Za-z0-9]{32,}+"),
    ("a PostHog key", "phx_", _WORD),
    ("a PubNub key", "pub-c- sub-c- sec-c-", r"[0-9a-zA-Z-]{36,}+"),
    ("a Scrapfly key", "scp-live- scp-test-", r"[a-f0-9]{32}"),
    ("a StackHawk key", "hawk.", r"[A-Za-z0-9_-]{20}\.[A-Za-z0-9_-]{20}\b"),
    ("a Teamwork token", "tkn.v1_", r"[A-Za-z0-9+/=]{40,}+"),
    ("a Telnyx key", "KEY0", r"[A-F0-9]{31}_[A-Za-z0-9]{22}\b"),
    ("a Ubidots token", "BBFF- BBUS-", r"[A-Za-z0-9]{30,}+"),
    ("a Voiceflow key", "VF.DM. VF.WS. VF.", r"[a-fA-F0-9]{24}\.[A-Za-z0-9]{16}\b"),
    ("a Zoho token", "1000.", r"[a-f0-9]{32}\.[a-f0-9]{32}\b"),
    ("a password hash", "$1$ $2a$ $2b$ $2x$ $2y$ $5$ $6$ $argon2", r"[A-Za-z0-9./$=,+]{28,}+"),
    ("an Ionic token", "ion_", r"[A-Za-z0-9]{42}\b"),
    ("a FullStory key", "na1.", r"[A-Za-z0-9+/]{100,}+"),
    ("a Beamer key", "b_", r"[A-Za-z0-9]{46}\b"),
    ("a Mapbox token", "sk.eyJ tk.eyJ", r"[A-Za-z0-9_-]{20,400}\.[A-Za-z0-9_-]{16,}+"),
    ("a JSON web token", "eyJ", r"[A-Za-z0-9_-]{8,999}\.[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]*+){1,3}"),
    ("a private key", "LS0tLS1CRUdJTi", r"(?!BDRVJ|BQVUJ)[A-Za-z0-9+/=]{40,}+"),
    ("a private key", "-----BEGIN", _PEM),
    ("a private key", "Private-Lines:", r"[ \d]{1,6}(?:\s{1,2}[A-Za-z0-9+/=]{40,64}){2,}(?:\s{1,2}[A-Za-z0-9+/=]{4,64}(?=\s|\Z))?"),
    ("an AWS access key id", "AKIA ASIA ABIA ACCA", r"[A-Z0-9]{16}\b"),
    ("a Slack webhook", "hooks.slack.com/services/ hooks.slack.com/workflows/", r"[A-Za-z0-9_]{6,14}/[A-Za-z0-9_]{6,14}/[A-Za-z0-9_/]{16,}+"),
    ("a Discord webhook", "discord.com/api/webhooks/ discordapp.com/api/webhooks/", r"[0-9]{15,21}/[A-Za-z0-9_-]{50,}+"),
    ("a Teams webhook", "webhook.office.com/webhookb2/ outlook.office.com/webhook/", r"[A-Za-z0-9@/-]{60,}+"),
    ("a Zapier webhook", "hooks.zapier.com/hooks/catch/", r"[A-Za-z0-9/]{10,}+"),
)  # fmt: skip

# What stands in the middle of a key, for those that begin with anything: what it is, what comes
# before the mark, and the mark with what follows it.
_MARKED: tuple[tuple[str, str, str], ...] = (
    (
        "a Telegram token",
        r"(?:bot)?[0-9]{8,10}",
        r":(?:AA[A-Za-z0-9_-]{32}|[A-Za-z0-9_-]{35})(?![A-Za-z0-9_-])",
    ),
    ("a Discord token", r"[A-Za-z0-9_-]{22,28}", r"\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}+"),
    ("a Mailchimp key", r"[a-f0-9]{32}", r"-us[0-9]{1,2}\b"),
    ("an Azure AD secret", r"[A-Za-z0-9_~.]{3}[0-9]", r"Q~[A-Za-z0-9_~.-]{31,34}"),
    ("a Terraform token", r"[A-Za-z0-9]{14}", r"\.atlasv1\.[A-Za-z0-9_=-]{60,}+"),
    ("an Azure key", r"[A-Za-z0-9]{42,76}", r"AzSe[A-Za-z0-9]{6}"),
    ("an Azure key", r"[A-Za-z0-9]{42,76}", r"AZDO[A-Za-z0-9]{4}"),
    ("an Azure key", r"[A-Za-z0-9]{42,76}", r"JQQJ9[A-Za-z0-9]{20,}+"),
    ("a MaxMind key", r"[A-Za-z0-9]{6}_[A-Za-z0-9]{29}", r"_mmk\b"),
)
_LONGEST_BEFORE = 80

_AWS_ID = re.compile(r"A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{16}")
_AWS_SECRET = re.compile(
    r"(?<![A-Za-z0-9+/=])(?=[a-z0-9+/]*[A-Z])(?=[A-Z0-9+/]*[a-z])(?=[A-Za-z+/]*[0-9])"
    r"[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/=])(?<!EXAMPLEKEY)"
)
"""The secret itself may be any 40 characters of base64, so it counts only near its id."""
_NEAR = 300
_CHANGE = re.compile(r"[a-z][A-Z0-9]|[0-9][A-Za-z]|[A-Z][0-9]")
_EXAMPLE = re.compile(r"(?i:x{4,}\Z|placeholder)|EXAMPLE\Z")


@cache
def _prefixes() -> re.Pattern[str]:
    """Compile what keys begin with, by their first letters: most places are passed over at once."""
    words = sorted({word for _, prefixes, _ in _ISSUED for word in prefixes.split()}, reverse=True)
    rests = (
        f"{re.escape(first)}(?:{'|'.join(re.escape(word[1:]) for word in group)})"
        for first, group in groupby(words, key=lambda word: word[0])
    )
    return re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(rests)})")


@cache
def _forms() -> dict[str, list[tuple[str, int, re.Pattern[str]]]]:
    """Return for each prefix what the key may be: its kind, where its body begins, and its form."""
    rows = [
        (word, what, re.compile(body))
        for what, prefixes, body in _ISSUED
        for word in prefixes.split()
    ]
    rows.sort(key=lambda row: len(row[0]), reverse=True)
    return {
        prefix: [(what, len(word), form) for word, what, form in rows if prefix.startswith(word)]
        for prefix, _, _ in rows
    }


@cache
def _marks() -> list[tuple[str, re.Pattern[str], re.Pattern[str]]]:
    return [
        (what, re.compile(rf"(?<![A-Za-z0-9])(?:{before})\Z"), re.compile(mark))
        for what, before, mark in _MARKED
    ]


def may_go_on(text: str, start: int) -> bool:
    """Tell whether a key may begin in the last word of a text, from `start` on."""
    return bool(
        _prefixes().search(text, start)
        or _CHANGE.search(text, start)
        or _AWS_ID.search(text, max(0, start - _NEAR))
        or ("PRIVATE KEY" in text and "-----END" not in text)
    )


def vendor_keys(text: str) -> Iterator[Span]:
    """Find the keys whose own form says what they are, and AWS secrets near their ids."""
    end = 0
    forms = _forms()
    for prefix in _prefixes().finditer(text):
        start = prefix.start()
        if start < end:
            continue
        for what, length, form in forms[prefix[0]]:
            if match := form.match(text, start + length):
                end = match.end()
                if not _EXAMPLE.search(text, start, end):
                    yield Span(start, end, what)
                break
    for what, before, mark in _marks():
        for match in mark.finditer(text):
            first = max(0, match.start() - _LONGEST_BEFORE)
            if begun := before.search(text[first : match.start()]):
                yield Span(first + begun.start(), match.end(), what)
    yield from aws_secrets(text)


def aws_secrets(text: str) -> Iterator[Span]:
    """Find secrets that no name gives away, near the ids that they belong to."""
    for known in _AWS_ID.finditer(text):
        near = _AWS_SECRET.finditer(text, max(0, known.start() - _NEAR), known.end() + _NEAR)
        for match in near:
            yield Span(*match.span(), "an AWS secret access key")
