"""Personal data and secrets in texts, replaced by stable words before a text is kept to train on.

What is found by its shape is replaced; names of people and places have none, and stay.
"""

import re
from collections.abc import Iterator
from itertools import accumulate

from bot.intents.masking_phones import mask_phones

EMAIL, CARD, IBAN, SECRET, PERSON = "<email>", "<card>", "<iban>", "<secret>", "@someone"
# A replacement can bare what stood beside it; no text is known that needs more than three.
MAX_PASSES = 8
AWS_SECRET = 40

PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?!-----END)[^\0]){0,20000}+(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?"
)
LOGIN = re.compile(r"(?<=://)[^\s/?#@<>\"']{1,500}+(?=@[\w\[])")
ADDRESS = re.compile(
    r"(?<![\w.+%'-])[\w.+%'-]{1,64}+"
    r"(?:@|\s?[\[({]\s?at\s?[\])}]\s?)"
    r"(?:[\w-]{1,63}+(?:\.|\s?[\[({]\s?dot\s?[\])}]\s?)){1,8}[^\W\d_]{2,24}(?![\w@])",
    re.IGNORECASE,
)
# A mention as it is stored of Slack, a platform's own markup, and an @name; groups are no persons.
MENTION = re.compile(
    r"<@[!&]?[A-Za-z0-9]{2,32}(?:\|[^<>\n]{0,80})?>"
    r"|(?<![\w@/.`<>])@(?!(?:here|channel|everyone|group|supportbot)\b)[a-z][\w.-]{1,38}\b(?![/(@])",
    re.IGNORECASE,
)
IBANS = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,30}+")
CARDS = re.compile(r"(?<![\d.,])\d{3,19}(?:[ .\u00a0-]\d{3,7}){0,6}(?:[ .\u00a0-]\d{1,3})?(?!\d)")
KEYS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{8,250}|xapp-[A-Za-z0-9-]{8,250}"
    r"|(?:A3T[A-Z0-9]|AKIA|ASIA|AGPA|AIDA|AROA|AIPA|ANPA|ANVA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])"
    r"|gh[a-z]_[A-Za-z0-9]{16,255}|github_pat_[A-Za-z0-9_]{16,255}|gl[a-z]{2,5}-[\w-]{16,255}"
    r"|sk-[\w-]{16,255}|(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{8,250}|whsec_[A-Za-z0-9+/=]{16,250}"
    r"|AIza[\w-]{30,40}|ya29\.[\w-]{16,250}|hf_[A-Za-z0-9]{16,250}|npm_[A-Za-z0-9]{16,250}"
    r"|pypi-[\w-]{16,250}|dop_v1_[a-f0-9]{16,250}|shp[a-z]{2}_[a-fA-F0-9]{16,250}"
    r"|SG\.[\w-]{16,64}\.[\w-]{16,64}|key-[0-9a-f]{32}|(?:SK|AC)[0-9a-f]{32}"
    r"|eyJ[\w-]{6,4000}+(?:\.[\w-]{2,4000}+){1,4}\.?"
    r"|\d{8,10}:[\w-]{35}(?![\w-])|[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,40}"
    r")"
)
WEBHOOK = re.compile(
    r"(?<=hooks\.slack\.com/)(?:services|workflows|triggers)/[\w/-]{8,200}", re.IGNORECASE
)
NAMED = re.compile(
    r"(?P<name>(?<![a-z])(?:pass(?:word|wd|phrase|code)?|pwd|pin|secret|token|credentials?"
    r"|bearer|(?:api|access|auth|secret|private|signing|account)[ _-]?(?:key|token|secret)"
    r"|passwort|contraseña|mot de passe)"
    r"[\"']?\s{0,3}(?:[:=]|=>|\bis\b|\bist\b|(?<=bearer)\s)\s{0,3}[\"'`]?)"
    r"(?P<value>[^\s<>\"'`,;]{4,200}+)",
    re.IGNORECASE,
)
WORD = re.compile(r"[/_+-]")
RANDOM = re.compile(r"(?<![\w/+=.-])[\w/+-]{32,200}+={0,2}(?![\w/+=-])", re.ASCII)
# The number of characters of each country's account numbers, by the registry of SWIFT.
IBAN_LENGTHS = {
    country: int(length)
    for length, countries in (
        line.split(" ", 1)
        for line in (
            "15 NO", "16 BE", "18 DK FI FO GL NL SD FK", "19 MK SI", "20 AT BA EE KZ LT LU MN XK",
            "21 CH CR HR LI LV", "22 BG BH DE GB GE IE ME RS VA", "23 AE GI IL IQ OM TL SO",
            "24 AD CZ DZ ES MD PK RO SA SE SK TN VG", "25 LY PT ST", "26 IS TR",
            "27 FR GR IT MC MR SM DJ BI", "28 AL AZ BY CY DO EG GT HU LB NI PL SV HN",
            "29 BR PS QA UA", "30 JO KW MU YE", "31 MT SC", "32 LC", "33 RU",
        )
    )
    for country in countries.split()
}  # fmt: skip


def masked(text: str) -> str:
    """The text with words such as "<email>" in place of personal data and secrets.

    E-mail addresses, phone numbers, payment cards and bank accounts whose checksums are right,
    keys and tokens, passwords that are called so, logins in addresses, and mentions of people.
    What is masked already stays as it is. Takes time linear in the text's length.
    """
    for _ in range(MAX_PASSES):
        former, text = text, _masked_once(text)
        if text == former:
            break
    return text


def _masked_once(text: str) -> str:
    text = PRIVATE_KEY.sub(SECRET, text)
    text = LOGIN.sub(SECRET, text)
    text = WEBHOOK.sub(SECRET, text)
    text = KEYS.sub(SECRET, text)
    text = ADDRESS.sub(EMAIL, text)
    text = MENTION.sub(PERSON, text)
    text = IBANS.sub(_without_iban, text)
    text = CARDS.sub(_without_card, text)
    text = NAMED.sub(_without_value, text)
    text = RANDOM.sub(lambda found: SECRET if _is_random(found[0]) else found[0], text)
    return mask_phones(text)


def _without_iban(found: re.Match[str]) -> str:
    """The account number at the begin of what looks like one, without the words behind it."""
    text = found[0]
    length = IBAN_LENGTHS.get(text[:2].upper(), 0)
    ends = accumulate(character.isalnum() for character in text)
    end = next((at for at, count in enumerate(ends, 1) if count == length), 0)
    if not end or text[end : end + 1].isalnum():
        return text
    number = re.sub("[ -]", "", text[:end]).upper()
    value = int("".join(str(int(each, 36)) for each in number[4:] + number[:4]))
    return IBAN + text[end:] if value % 97 == 1 else text


def _without_card(found: re.Match[str]) -> str:
    """The digits without the groups that are together the number of a card."""
    text = found[0]
    groups = [(group.start(), group.end()) for group in re.finditer(r"\d+", text)]
    parts, kept = [], 0
    for start, end in _cards(text, groups):
        parts += [text[kept:start], CARD]
        kept = end
    return "".join([*parts, text[kept:]])


def _cards(text: str, groups: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    first = 0
    while first < len(groups):
        start = groups[first][0]
        for last in range(len(groups) - 1, first - 1, -1):
            end = groups[last][1]
            if _is_card(re.sub(r"\D", "", text[start:end])):
                yield start, end
                first = last
                break
        first += 1


def _is_card(digits: str) -> bool:
    """Whether these are as many as a card of that brand has, and the last one checks (Luhn)."""
    if not re.fullmatch(
        r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]|2[2-7]|35)\d{14}|3[47]\d{13}|3[0689]\d{12}(?:\d\d)?"
        r"|(?:1800|2131)\d{11}|6(?:0|4|5|2)\d{14,17}|(?:50|5[6-9]|6[1-9])\d{10,17}",
        digits,
        re.ASCII,
    ):
        return False
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


def _without_value(found: re.Match[str]) -> str:
    """A password that is called so; "the password is wrong" names none."""
    value = found["value"].rstrip(".!?)")
    has_digit = any(character.isdigit() for character in value)
    has_mark = re.search(r"[^\w.?!:)/(-]", value) is not None
    is_assigned = "=" in found["name"] or ":" in found["name"]
    has_letters = any(character.isalpha() for character in value)
    is_one = (has_digit and (has_letters or is_assigned)) or (has_mark and len(value) >= 6)
    return found["name"] + SECRET + found["value"][len(value) :] if is_one else found[0]


def _is_random(text: str) -> bool:
    """Whether it is a key's characters rather than a path's, a name's or a UUID's."""
    letters = text.rstrip("=")
    if re.fullmatch("[0-9a-fA-F]+", letters):
        return not letters.isdecimal() and not letters.isalpha()
    if any(len(word) > 3 and word.isalpha() and word.islower() for word in WORD.split(letters)):
        return False
    digits = sum(character.isdigit() for character in letters)
    uppers = sum(character.isupper() for character in letters)
    lowers = sum(character.islower() for character in letters)
    # A secret access key of AWS has 40 characters; among these one digit is not too few.
    return digits >= (1 if len(text) == AWS_SECRET else 2) and min(uppers, lowers) >= 4
