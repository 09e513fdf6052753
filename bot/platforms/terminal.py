"""The terminal as a platform: one conversation, answers as Markdown with numbered sources."""

import getpass
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown
from rich.markup import escape

from bot.assistant import Assistant
from bot.errors import SupportbotError
from bot.messages import Answer, Citation, Conversation, Outcome, Person, Question, Rating, Turn
from bot.platforms.terminal_rating import rating_of

PLATFORM = "terminal"
PROMPT = "you › "
GOODBYE = {"exit", "quit", "bye", ":q"}


def question_of(text: str, conversation: str | None = None) -> Question:
    """A question asked in this terminal by whoever is logged in; alone, or in a conversation."""
    place = Conversation(PLATFORM, conversation or new_conversation())
    return Question(text, person(), place)


def person() -> Person:
    """Whoever is logged in."""
    return Person(PLATFORM, _login())


def new_conversation() -> str:
    """The id of a conversation that nothing was said in yet."""
    return uuid4().hex


async def ask(assistant: Assistant, question: Question, console: Console) -> Turn:
    """The turn of a question, its answer shown: on a terminal while it is written, elsewhere whole.

    What was shown meanwhile is wiped for the whole, so that it stands there once.
    """
    written = Markdown("")
    with ExitStack() as live:

        async def on_text(piece: str) -> None:
            nonlocal written
            if not written.markup:
                display = Live(get_renderable=lambda: written, console=console, transient=True)
                live.enter_context(display)
            written = Markdown(written.markup + piece, hyperlinks=False)

        turn = await assistant.answer(question, on_text if console.is_terminal else None)
    show(turn.answer, console)
    return turn


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

    def typed(prompt: str) -> str:
        return input(prompt if is_typed else "")

    conversation = new_conversation()
    last: Turn | None = None
    while True:
        try:
            line = typed(PROMPT)
            rating = last and rating_of(line, last, assistant.router.catalog, typed, console)
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
            last = run(ask(assistant, question_of(line, conversation), console))
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
