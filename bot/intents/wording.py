"""Questions without the words that only corrections use, by which they are judged.

A rare word that somebody puts into questions of all kinds, always with the same correction, makes
them like each other and unlike all else, and would carry any question to that intent. Without it
they are like what they really ask.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from itertools import product

from bot.intents.dataset import Origin
from bot.intents.merging import Case

WORD = re.compile(r"\w+")
# So many different questions with the same such word and the same correction are no chance.
SEVERAL = 3

Key = tuple[int, str]


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
    plain: Mapping[int, Plain], cases: Iterable[Case], contradicted: Set[Key]
) -> set[Key]:
    """What shares a rare word and its intent with others of which half are contradicted.

    Only where these were predicted as SEVERAL different intents: questions of one kind share words
    by what they are about. Keys are the rows of cases with an intent that people gave them.
    """
    together: dict[tuple[str, str], set[Key]] = defaultdict(set)
    denied: dict[tuple[str, str], set[str]] = defaultdict(set)
    for case in cases:
        words = plain[case.row].rare if case.row in plain else ()
        for each, word in product(case.statements, words):
            together[word, each.intent].add((case.row, each.intent))
            denied[word, each.intent].update({each.denied} if each.denied else ())
    found: set[Key] = set()
    for shared, keys in together.items():
        if len(denied[shared]) >= SEVERAL and 2 * len(keys & contradicted) >= len(keys):
            found |= keys
    return found


def _words(text: str) -> frozenset[str]:
    return frozenset({word.lower() for word in WORD.findall(text)})
