"""Questions without the words that only corrections use, by which they are judged.

A rare word that somebody puts into questions of all kinds, always with the same correction, makes
them like each other and unlike all else, and would carry any question to that intent. Without it
they are like what they really ask.
"""

import re
from collections import Counter
from collections.abc import Iterable

from bot.intents.dataset import Origin
from bot.intents.merging import Case

WORD = re.compile(r"\w+")


def plain(cases: Iterable[Case], team: Iterable[str]) -> dict[int, str]:
    """By their rows, the texts of corrected and denied cases that have such words, without these.

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
    rare = {word for word, count in unusual.items() if count > usual[word]}
    found = {}
    for case in doubted:
        text = case.statements[0].text
        if rare & _words(text):
            kept = WORD.sub(lambda word: "" if word[0].lower() in rare else word[0], text)
            if _words(kept):
                found[case.row] = " ".join(kept.split())
    return found


def _words(text: str) -> set[str]:
    return {word.lower() for word in WORD.findall(text)}
