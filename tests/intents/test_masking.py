"""Personal data goes before a text is kept to train on, and nothing else does."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.intents.catalog import load_catalog
from bot.intents.masking import masked
from tests.intents.personal_data import messages

ROOT = Path(__file__).parents[2]
HOSTILE = (
    "a@", "0 ", "0", "a", "a.", "a@a.", "4 ", "4444 ", "411 ", "(", "0(", "+1 ", "1 (", "@", "@a",
    "@a.b", "<@", "://", "://a", "eyJ", "eyJaaaaaaa.", "DE89 ", "AB12", "xox", "sk-", "A1b", "A1/",
    "password ", "password is ", "token:", "call ", "call 1", " at ", "[at]", "a (at) b (dot) ",
    "-----BEGIN PRIVATE KEY-----", "012 ", "\u0661 ", "\n", "'",
)  # fmt: skip
FRAGMENTS = [
    "a@b.co", "@", "@b.co", "+49 30 1234567", "030 1234567", "012", "5552345678", "4111", "1111",
    "4111111111111111", "DE89370400440532013000", "DE89", "0532", "://", "user:pass@",
    "xoxb-12345678", "password: ", "phone ", "token=", "<", ">", "<email>",
    "<phone>", "<secret>", "@someone", "@alice",
    "eyJhbGciOiJIUzI1NiJ9.", "AKIAIOSFODNN7EXAMPLE", " ", "(", ")", "-", ".", ",", "/", "x12", "7",
    "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "ext. 5", "call", "is ", "\n", "é",
]  # fmt: skip


def ordinary_texts() -> list[str]:
    """What people ask, by several writers, without anybody's data; mentions are left out."""
    texts = [text for intent in load_catalog().intents for text in intent.utterances]
    holdout = yaml.safe_load((ROOT / "tests/intents/holdout.yaml").read_text("utf-8"))
    texts += [text for of_intent in holdout.values() for text in of_intent]
    lines = (ROOT / "docs/questions.jsonl").read_text("utf-8").splitlines()
    texts += [json.loads(line)["question"] for line in lines]
    return [text for text in texts if not re.search(r"(?<!\w)@\w", text)]


def leaks(kind: str, secret: str, found: str) -> bool:
    """Whether something of the secret stayed: five characters of it in a row, or its digits."""
    parts = re.findall(r"\w{4,}" if kind in {"phone", "card", "iban"} else r"\w{7,}", secret)
    public = {
        "password",
        "api_key",
        "Bearer",
        "phone",
        "call",
        "example",
        "postgresql",
        "mongodb",
        "mailto",
    }
    return any(part in found for part in parts if part not in public)


def test_of_500_messages_with_personal_data_at_most_one_in_a_hundred_leaks() -> None:
    made = messages(seed=20261121, count=550)
    leaked = [(kind, text, masked(text)) for kind, secret, text in made
              if masked(text) == text or leaks(kind, secret, masked(text))]  # fmt: skip
    assert len(leaked) <= len(made) // 100, leaked
    by_kind = Counter(kind for kind, _, _ in leaked)
    assert all(count <= 1 for count in by_kind.values()), leaked


def test_ordinary_questions_stay_as_they_are() -> None:
    texts = ordinary_texts()
    assert len(texts) > 700
    assert [text for text in texts if masked(text) != text] == []


@pytest.mark.parametrize(
    "text",
    [
        "order 4471234567 and order #5552345678 of 2024-05-12, 12.05.2024 and 01/02/2024 10:30:00",
        "ticket 123-456-7890, invoice 2024/000123456, case 00123456789",
        "Python 3.13.1, version 10.15.7.3, build 20240512103000, released 20240512",
        "it costs $1,299.00, 1.299,00 €, 1 299 000 000 dollars or 1000000 EUR",
        "port 5432, ports 8080 8081 8082 8083, 192.168.10.20:5432 and call 192.168.100.200",
        "0.12345678 3.141592653589793 1714561234 1e-10 100-200-300",
        "550e8400-e29b-41d4-a716-446655440000",
        "isbn 978-0-306-40615-7, 1234567890123456 and 4111111111111112",
        "/usr/local/lib/Python3/site-packages/OpenSSL/crypto in https://example.com/a/b?page=2",
        "the password is wrong, is my token expired? secret: what is that",
        "pin the message, press the key: it is stuck",
        "npm i @types/node, a@b, user@localhost, @dataclass(frozen=True)",
        "http://localhost:8080/@me and DE12 is not a bank account, GB82 WEST 1234 5698 7654 33",
    ],
)  # fmt: skip
def test_orders_versions_dates_prices_ports_and_paths_stay(text: str) -> None:
    assert masked(text) == text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Mail jörg.müller+x@bücher.example, ok?", "Mail <email>, ok?"),
        ("me (at) example (dot) com", "<email>"),
        ("(415-555-0134) or call 555-0134 at 10:30", "(<phone>) or call <phone> at 10:30"),
        ("2 cards 4111 1111 1111 1111 12/27 123", "2 cards <card> 12/27 123"),
        ("de89 3704 0044 0532 0130 00 is mine", "<iban> is mine"),
        ("psql postgres://me:hunter2@db:5432/x", "psql postgres://<secret>@db:5432/x"),
        ("my password is Sommer2024!", "my password is <secret>!"),
        ("PASSWORD=hunter2; retry", "PASSWORD=<secret>; retry"),
        ("<@U0123ABC> and @alice.b, ask @here", "@someone and @someone, ask @here"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE", "<secret>"),
        ("https://hooks.slack.com/services/T01/B02/abcdefgh", "https://hooks.slack.com/<secret>"),
    ],
)
def test_what_is_masked_leaves_the_words_around_it(text: str, found: str) -> None:
    assert masked(text) == found


@pytest.mark.timeout(100)
@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_texts_take_no_more_than_linear_time(hostile: str) -> None:
    text = (hostile * 100_000)[:100_000]
    once = masked(text)
    assert masked(once) == once


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.text(), st.lists(st.sampled_from(FRAGMENTS)).map("".join),
                 st.lists(st.sampled_from(FRAGMENTS)).map(" ".join)))  # fmt: skip
def test_what_is_masked_is_not_masked_again(text: str) -> None:
    assert masked(masked(text)) == masked(text)
