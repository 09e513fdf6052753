"""Variants of a text as people might have written it; pure, the same for the same seed."""

import random
from collections.abc import Callable

GREETINGS = (
    "hi, ", "hello, ", "hey, ", "hey there, ", "good morning, ", "hi team, ", "hello! ", "hi all, ",
    "please help: ", "quick question: ", "hi, quick one: ", "sorry to bother you, ",
)  # fmt: skip
KEYBOARD = {
    key: neighbours
    for row in ("qwertyuiop", "asdfghjkl", "zxcvbnm")
    for key, neighbours in zip(
        row, (row[max(at - 1, 0) : at] + row[at + 1 : at + 2] for at in range(len(row))),
        strict=True,
    )
}  # fmt: skip
# Shorter words change their meaning with a letter, and shorter texts with a word.
MIN_LETTERS = 4
MIN_WORDS = 4

Change = Callable[[str, random.Random], str]


def with_typo(text: str, chance: random.Random) -> str:
    """With one letter left out, doubled, swapped with the next or hit beside, in a longer word."""
    words = text.split(" ")
    long = [at for at, word in enumerate(words) if len(word) >= MIN_LETTERS and word.isalpha()]
    if not long:
        return text
    at = chance.choice(long)
    word = words[at]
    # The first letter is rarely the wrong one (Pollock and Zamora 1984).
    letter = chance.randrange(1, len(word) - 1)
    head, hit, tail = word[:letter], word[letter], word[letter + 1 :]
    beside = chance.choice(KEYBOARD.get(hit.lower(), hit))
    swapped = head + tail[:1] + hit + tail[1:]
    words[at] = chance.choice((head + tail, head + hit + hit + tail, swapped, head + beside + tail))
    return " ".join(words)


def with_other_case(text: str, chance: random.Random) -> str:
    """All small or all capital letters, or without the marks at its end."""
    return chance.choice((text.lower(), text.upper(), text.rstrip(" .!?")))


def with_greeting(text: str, chance: random.Random) -> str:
    """After a greeting or an excuse."""
    return chance.choice(GREETINGS) + text[:1].lower() + text[1:]


def without_word(text: str, chance: random.Random) -> str:
    """With one word of several left out."""
    words = text.split(" ")
    if len(words) >= MIN_WORDS:
        del words[chance.randrange(len(words))]
    return " ".join(words)


CHANGES: tuple[Change, ...] = (with_typo, with_other_case, with_greeting, without_word)


def variants(text: str, count: int, seed: int, changes: tuple[Change, ...] = CHANGES) -> list[str]:
    """So many variants of a text, each by one change; the same for the same seed."""
    chance = random.Random(f"{seed} {text}")
    return [chance.choice(changes)(text, chance) for _ in range(count)]
