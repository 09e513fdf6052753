"""Messages with personal data and secrets in them, made from a seed, in the formats people use."""

import base64
import json
import string
from collections.abc import Callable
from random import Random

WORDS = ("account", "invoice", "portal", "laptop", "refund", "printer", "office", "badge", "export")
FRAMES = (
    "Please use {} for the {word}.",
    "hi, {} is what i gave, but the {word} does not work",
    "The {word} fails: {}",
    "{} thanks!!",
    "Could you check whether {} is still right? The {word} says it is not.",
    "it was ({}), i think",
    "{word} -> {}",
)
NAMES = ("maria", "j.smith", "li_wei", "o'neil", "jörg.müller", "anna-lena", "k8s.admin", "x")
HOSTS = ("example.com", "mail.example.co.uk", "bücher.example", "sub-domain.example.org", "a.io")
ALPHANUMERIC = string.ascii_letters + string.digits
COUNTRIES = {"DE": "dddddddddddddddddd", "GB": "aaaadddddddddddddd",
             "FR": "ddddddddddxxxxxxxxxxxdd",
             "NL": "aaaadddddddddd", "NO": "ddddddddddd", "CH": "dddddxxxxxxxxxxxx",
             "ES": "dddddddddddddddddddd", "PL": "d" * 24}  # fmt: skip
# Of each brand: how it begins, how many digits it has, and how these are grouped.
CARDS = (("4", 16, (4, 4, 4, 4)), ("51", 16, (4, 4, 4, 4)), ("2221", 16, (4, 4, 4, 4)),
         ("37", 15, (4, 6, 5)), ("6011", 16, (4, 4, 4, 4)), ("3528", 16, (4, 4, 4, 4)),
         ("36", 14, (4, 6, 4)), ("4", 13, (4, 4, 4, 1)))  # fmt: skip
# A 2 stands for a digit from 2 to 9, a # for any.
PHONES = (
    "+49 30 #######", "+49 (0)171 #######", "+4917########", "0049 89 ######", "030/#######",
    "0171-#######", "0171 2######", "(2##) 2##-####", "2##-2##-####", "2##.2##.####",
    "+1 2## 2## ####", "+12##2######", "1-800-2##-####", "2##-2##-#### x2##", "2##2######",
    "+44 20 2### ####", "020 2### ####", "07911 2#####", "+33 1 2# ## ## ##", "01 2# ## ## ##",
    "+86 138 2### ####", "138 2### ####", "+91 98### #####", "(030) 2#####", "(11) 92###-####",
    "phone: 2######", "call me on 2### ####", "tel. 612 2# ## ##",
)  # fmt: skip


def messages(seed: int, count: int) -> list[tuple[str, str, str]]:
    """Messages as (kind, what must not stay, message), as many of each kind."""
    random = Random(seed)
    made = []
    for number in range(count):
        kind = list(KINDS)[number % len(KINDS)]
        secret = KINDS[kind](random)
        frame = random.choice(FRAMES)
        made.append((kind, secret, frame.format(secret, word=random.choice(WORDS))))
    return made


def email(random: Random) -> str:
    address = f"{random.choice(NAMES)}{random.randrange(99)}@{random.choice(HOSTS)}"
    return random.choice((address, address.upper(), f"<{address}>", f"mailto:{address}"))


def phone(random: Random) -> str:
    digits = {"#": string.digits, "2": "23456789"}
    return "".join(random.choice(digits.get(each, each)) for each in random.choice(PHONES))


def card(random: Random) -> str:
    begin, length, groups = random.choice(CARDS)
    digits = begin + characters(random, string.digits, length - len(begin) - 1)
    check = next(c for c in string.digits if luhn(digits + c) == 0)
    between, number, at = random.choice(("", " ", "-")), digits + check, 0
    parts = []
    for size in groups:
        parts.append(number[at : at + size])
        at += size
    return between.join(parts)


def luhn(digits: str) -> int:
    """The check sum, as the standard ISO/IEC 7812 describes it."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10


def iban(random: Random) -> str:
    country = random.choice(list(COUNTRIES))
    kinds = {"d": string.digits, "a": string.ascii_uppercase}
    inside = "".join(
        random.choice(kinds.get(kind, string.ascii_uppercase + string.digits))
        for kind in COUNTRIES[country]
    )
    numeric = "".join(str(int(each, 36)) for each in f"{inside}{country}00")
    number = f"{country}{98 - int(numeric) % 97:02}{inside}"
    grouped = " ".join(number[at : at + 4] for at in range(0, len(number), 4))
    return random.choice((number, grouped, number.lower()))


def characters(random: Random, alphabet: str, count: int) -> str:
    return "".join(random.choices(alphabet, k=count))


def slack(random: Random) -> str:
    ids = f"{random.randrange(10**11, 10**12)}-{random.randrange(10**11, 10**12)}"
    return f"xox{random.choice('bpaers')}-{ids}-{characters(random, ALPHANUMERIC, 24)}"


def aws(random: Random) -> str:
    upper = string.ascii_uppercase + string.digits
    if random.random() < 0.5:
        return random.choice(("AKIA", "ASIA")) + characters(random, upper, 16)
    return characters(random, ALPHANUMERIC, 20) + characters(random, ALPHANUMERIC + "/+", 20)


def github(random: Random) -> str:
    if random.random() < 0.7:
        return f"gh{random.choice('pousr')}_{characters(random, ALPHANUMERIC, 36)}"
    return (
        f"github_pat_{characters(random, ALPHANUMERIC, 22)}_{characters(random, ALPHANUMERIC, 59)}"
    )


def key(random: Random) -> str:
    return random.choice((
        f"sk-proj-{characters(random, ALPHANUMERIC + '_-', 48)}",
        f"sk_live_{characters(random, ALPHANUMERIC, 24)}",
        f"AIza{characters(random, ALPHANUMERIC + '_-', 35)}",
        f"glpat-{characters(random, ALPHANUMERIC, 20)}",
        f"api_key={characters(random, string.hexdigits.lower(), 32)}",
        f"Bearer {characters(random, ALPHANUMERIC, 20)}7",
        f"password: {characters(random, ALPHANUMERIC, 8)}7",
    ))  # fmt: skip


def jwt(random: Random) -> str:
    parts = [{"alg": "HS256", "typ": "JWT"}, {"sub": random.randrange(10**6), "admin": True}]
    written = [base64.urlsafe_b64encode(json.dumps(part).encode()) for part in parts]
    signature = characters(random, ALPHANUMERIC + "_-", 43)
    return ".".join([*(part.decode().rstrip("=") for part in written), signature])


def private_key(random: Random) -> str:
    lines = [characters(random, ALPHANUMERIC + "/+", 64) for _ in range(5)]
    kind = random.choice(("", "RSA ", "EC ", "OPENSSH "))
    return "\n".join(
        [f"-----BEGIN {kind}PRIVATE KEY-----", *lines, f"-----END {kind}PRIVATE KEY-----"]
    )


def login(random: Random) -> str:
    scheme = random.choice(("postgresql", "https", "amqp", "mongodb+srv"))
    return f"{scheme}://admin:{characters(random, ALPHANUMERIC + '!$%', 9)}@db.example.com:5432/x"


KINDS: dict[str, Callable[[Random], str]] = {
    "email": email, "phone": phone, "card": card, "iban": iban, "slack": slack, "aws": aws,
    "github": github, "key": key, "jwt": jwt, "private_key": private_key, "login": login,
}  # fmt: skip
