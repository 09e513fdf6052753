"""Rating an answer in the terminal: + or - after it, and for a - what was wrong."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from rich.console import Console

from bot.intents.catalog import Catalog
from bot.messages import Rating, Reason, Turn

VALUES = {"+": 1, "👍": 1, "-": -1, "👎": -1}
REASONS = {
    Reason.WRONG_TOPIC: "wrong topic",
    Reason.WRONG_OR_OUTDATED: "wrong or outdated",
    Reason.INCOMPLETE: "incomplete",
    Reason.OTHER: "something else",
}
Ask = Callable[[str], str]
T = TypeVar("T", bound=str)


def rating_of(line: str, turn: Turn, catalog: Catalog, ask: Ask, console: Console) -> Rating | None:
    """The rating that a line begins, the rest asked for by `ask`; None where the line is none."""
    value = VALUES.get(line.strip())
    if value is None or turn.id is None:
        return None
    person = turn.question.person
    if value > 0:
        return Rating(turn.id, person, value)
    reason = _chosen("What was wrong?", REASONS, ask, console)
    intent = None
    if reason is Reason.WRONG_TOPIC:
        intents = {name: name.replace("_", " ") for name in _likeliest(turn, catalog)}
        intent = _chosen("What was it about?", intents, ask, console)
    comment = ask("A comment, or Enter: ").strip() if reason else ""
    return Rating(turn.id, person, value, reason, intent, comment or None)


def _likeliest(turn: Turn, catalog: Catalog) -> Sequence[str]:
    """The catalog's intents, those that the classifier thought of next first."""
    prediction = turn.prediction
    near = [name for name, _ in prediction.alternatives] if prediction else []
    taken = {prediction.intent} if prediction else set()
    rest = [name for name in catalog.names if name not in near and name not in taken]
    return [*near, *rest]


def _chosen(question: str, labels: dict[T, str], ask: Ask, console: Console) -> T | None:
    """The key whose number or label was typed; None for Enter."""
    options = "  ".join(f"{number} {label}" for number, label in enumerate(labels.values(), 1))
    console.print(f"{question}  {options}", style="dim", markup=False, highlight=False)
    by_word = {str(number): key for number, key in enumerate(labels, 1)}
    by_word |= {label: key for key, label in labels.items()}
    by_word |= {str(key): key for key in labels}
    while word := ask("A number, or Enter for none: ").strip().lower():
        if word in by_word:
            return by_word[word]
        console.print(f"Type a number from 1 to {len(labels)}.", style="dim")
    return None
