"""Reviewing in the terminal: a question at a time, settled with a key."""

import sys
from collections.abc import Callable
from typing import Any

from rich.console import Console

from bot import reviewing
from bot.errors import ReviewError
from bot.messages import Person
from bot.reviewing import Decided, Reviews, Shown, Verdict

VERDICTS = {"n": Verdict.NONE, "s": Verdict.SKIP, "x": Verdict.LEAVE_OUT}
OTHER, PARAPHRASE, QUIT = "o", "p", "q"
HELP = (
    "n none of these   s skip   x leave out   o other intent   p say it in your own words   q quit"
)
Ask = Callable[[str], str]


def review(desk: Reviews, person: Person, run: Callable[..., Any], console: Console) -> None:
    """Ask about one question after the other until none is left, "q" or the end of the input;
    `run` runs a coroutine to its end."""
    is_typed = sys.stdin.isatty()

    def ask(prompt: str) -> str:
        try:
            return input(prompt if is_typed else "").strip()
        except UnicodeDecodeError:
            _say(console, "That was not UTF-8 text.")
            return ""

    while shown := _next(desk, person, run, console):
        try:
            decided = _decided(desk, shown, ask, console)
        except EOFError:
            return
        if decided is None:
            return
        try:
            _say(console, run(reviewing.decide(desk, person, decided)))
        except ReviewError as error:
            _say(console, str(error))


def _next(desk: Reviews, person: Person, run: Callable[..., Any], console: Console) -> Shown | None:
    page = run(reviewing.following(desk, person))
    if page.shown is None:
        _say(console, reviewing.NOTHING_LEFT)
        return None
    shown: Shown = page.shown
    console.print()
    console.print(f"“{shown.question}”", style="bold", markup=False, highlight=False)
    for reason in shown.reasons:
        _say(console, reason)
    _say(console, reviewing.left(page.waiting))
    for number, choice in enumerate(shown.choices, start=1):
        console.print(f"  {number} {choice.label}", markup=False, highlight=False)
    console.print(f"  {HELP}", style="dim", markup=False, highlight=False)
    return shown


def _decided(desk: Reviews, shown: Shown, ask: Ask, console: Console) -> Decided | None:
    """What was decided of a question; None to quit."""
    paraphrase = ""
    while True:
        key = ask("› ").lower()
        if key == QUIT:
            return None
        if key == PARAPHRASE:
            paraphrase = ask("Say it in your own words: ")
            _say(console, "Now choose its intent.")
        elif key in VERDICTS:
            return Decided(shown.turn_id, VERDICTS[key], None, paraphrase)
        elif key.isdecimal() and 1 <= int(key) <= len(shown.choices):
            intent = shown.choices[int(key) - 1].intent
            return Decided(shown.turn_id, Verdict.INTENT, intent, paraphrase)
        elif key == OTHER:
            if intent := _other(desk, shown, ask, console):
                return Decided(shown.turn_id, Verdict.INTENT, intent, paraphrase)
        elif key:
            _say(console, "Type one of the numbers, or n, s, x, o, p or q.")


def _other(desk: Reviews, shown: Shown, ask: Ask, console: Console) -> str:
    """An intent by its number or name; empty for Enter."""
    names = reviewing.intents(desk.catalog, shown)
    listed = "  ".join(f"{at} {reviewing.name_of(name)}" for at, name in enumerate(names, 1))
    _say(console, listed)
    while written := ask("A number or a name, or Enter to go back: "):
        if written.isdecimal() and 1 <= int(written) <= len(names):
            return names[int(written) - 1]
        try:
            return reviewing.intent_of(desk.catalog, written)
        except ReviewError as error:
            _say(console, str(error))
    return ""


def _say(console: Console, sentence: str) -> None:
    console.print(sentence, style="dim", markup=False, highlight=False, soft_wrap=True)
