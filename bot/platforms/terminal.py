"""The terminal as a platform: one conversation, answers as Markdown with numbered sources."""

import getpass
import sys
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.markdown import Markdown
from rich.markup import escape

from bot.assistant import Assistant
from bot.errors import SupportbotError
from bot.messages import Answer, Citation, Conversation, Outcome, Person, Question, Rating, Turn
from bot.platforms.terminal_rating import rating_of

PLATFORM = "terminal"
PROMPT = "you › "
GOODBYE = {"exit", "quit", "bye", ":q"}


def question_of(text: str) -> Question:
    """A question asked in this terminal by whoever is logged in."""
    return Question(text, Person(PLATFORM, _login()), Conversation(PLATFORM, _login()))


def show(answer: Answer, console: Console) -> None:
    """Print an answer and its sources; plain Markdown where the output is no terminal."""
    if console.is_terminal:
        console.print(Markdown(answer.text, hyperlinks=False))
    else:
        console.print(answer.text, markup=False, highlight=False, soft_wrap=True)
    if answer.outcome is Outcome.ANSWERED and answer.citations:
        console.print()
        for citation in answer.citations:
            line = f"[{citation.number}] {source_line(citation)}"
            console.print(escape(line), style="dim", highlight=False, soft_wrap=True)


def source_line(citation: Citation) -> str:
    """A citation as one line: where in which document, and its address."""
    place = " › ".join((citation.title, *citation.headings))
    return f"{place} — {citation.url}"


def chat(assistant: Assistant, run: Callable[..., Any], console: Console) -> None:
    """Answer lines from standard input until it ends, or take them for ratings of the last answer;
    `run` runs a coroutine to its end.

    Reading blocks this thread, not a pool's, so that Ctrl-C ends it at once.
    """
    is_typed = sys.stdin.isatty()
    if is_typed:
        import readline  # noqa: F401  (gives input() history and editing)

        console.print(
            "Ask a question about your documents; rate an answer with + or -. Ctrl-D ends.",
            style="dim",
        )

    def ask(prompt: str) -> str:
        return input(prompt if is_typed else "")

    last: Turn | None = None
    while True:
        try:
            line = ask(PROMPT)
            rating = last and rating_of(line, last, assistant.router.catalog, ask, console)
        except EOFError:
            return
        except UnicodeDecodeError:
            console.print("That was not UTF-8 text; nothing was asked.")
            continue
        if line.strip().lower() in GOODBYE:
            return
        if rating:
            run(_rate(assistant, rating, console))
        elif line.strip():
            last = run(assistant.answer(question_of(line)))
            show(last.answer, console)
            console.print()


async def _rate(assistant: Assistant, rating: Rating, console: Console) -> None:
    try:
        await assistant.rate(rating)
    except SupportbotError as error:
        console.print(str(error), markup=False)
    else:
        console.print("Noted, thank you.", style="dim")


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
