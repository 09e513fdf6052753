"""Questions without the words that only corrections use, by which they are judged.

A rare word that somebody puts into questions of all kinds, always with the same correction, makes
them like each other and unlike all else, and would carry any question to that intent. Without it
they are like what they really ask.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Set
from dataclasses import dataclass

from bot.intents.dataset import Origin
from bot.intents.merging import Case

WORD = re.compile(r"\w+")
# So many questions with the same such word and the same intent are no chance.
SEVERAL = 3


@dataclass(frozen=True, slots=True)
class Plain:
    """A case's text without its rare words, and these."""

    text: str
    rare: frozenset[str]


def plain(cases: Iterable[Case], team: Iterable[str]) -> dict[int, Plain]:
    """By their rows, the corrected and denied cases that have such words, without these.

    A word is left out that stands in more of these cases than of the `team`'s texts and of the
    questions that were confirmed alone. Where nothing would be left, the text stays whole.
    """
    doubted: list[Case] = []
    usual: Counter[str] = Counter()
    unusual: Counter[str] = Counter()
    for text in team:
        usual.update(_words(text))
    for case in cases:
        is_confirmed = all(each.origin is Origin.CONFIRMED for each in case.statements)
        (usual if is_confirmed else unusual).update(_words(case.statements[0].text))
        if not is_confirmed:
            doubted.append(case)
    rare = frozenset(word for word, count in unusual.items() if count > usual[word])
    found = {}
    for case in doubted:
        text = case.statements[0].text
        if own := rare & _words(text):
            kept = WORD.sub(lambda word: "" if word[0].lower() in rare else word[0], text)
            found[case.row] = Plain(" ".join(kept.split()) if _words(kept) else text, own)
    return found


def accomplices(
    plain: dict[int, Plain], intents: Iterable[tuple[int, str]], contradicted: Set[tuple[int, str]]
) -> set[tuple[int, str]]:
    """What shares a rare word and its intent with others of which half are contradicted.

    `intents` are the rows with the intents that people gave them.
    """
    together: dict[tuple[str, str], set[tuple[int, str]]] = defaultdict(set)
    for row, intent in intents:
        for word in plain[row].rare if row in plain else ():
            together[word, intent].add((row, intent))
    found: set[tuple[int, str]] = set()
    for keys in together.values():
        if len(keys) >= SEVERAL and 2 * len(keys & contradicted) >= len(keys):
            found |= keys
    return found


def _words(text: str) -> frozenset[str]:
    return frozenset({word.lower() for word in WORD.findall(text)})
