"""Measures retrieval and abstention on a team's own questions, for `supportbot evaluate`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bot.announcing import ask_all, changed, conditions_of
from bot.app import App
from bot.assistant import Assistant
from bot.cases import FINDINGS, can_be_asked, compare
from bot.errors import SettingsError
from bot.messages import Outcome
from bot.platforms.terminal import question_of
from bot.storage import cases as stored
from bot.storage.cases import Result

RANKS = (1, 3, 5)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and the URI of the document that answers it; None where none does."""

    question: str
    uri: str | None


def read_questions(path: Path) -> list[Asked]:
    """The questions of a JSON lines file.

    Raises:
        SettingsError: the file cannot be read, or a line is not as it should be.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}.") from error
    asked = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            asked.append(Asked(str(entry["question"]), entry["uri"]))
        except (ValueError, KeyError, TypeError) as error:
            raise SettingsError(
                f"{path}, line {number} is not as it should be. Write one JSON object a line: "
                '{"question": "…", "uri": "install.md"}, with null as uri where no document '
                "answers."
            ) from error
    if not asked:
        raise SettingsError(f"{path} holds no question.")
    return asked


async def evaluate_questions(assistant: Assistant, asked: Sequence[Asked]) -> dict[str, Any]:
    """Recall at ranks 1, 3 and 5, MRR, and how many were rightly answered or refused.

    `missed` lists the questions whose document was not first, and the wrongly answered ones.
    """
    ranks: list[int | None] = []
    answered = refused = 0
    missed = []
    for item in asked:
        _, answer = await assistant.compose(question_of(item.question))
        uris = list(dict.fromkeys(passage.uri for passage in answer.passages))
        is_answered = answer.outcome is Outcome.ANSWERED
        if item.uri is None:
            refused += not is_answered
            if is_answered:
                missed.append({"question": item.question, "expected": None, "found": uris[:1]})
            continue
        answered += is_answered
        rank = uris.index(item.uri) + 1 if item.uri in uris else None
        ranks.append(rank)
        if rank != 1:
            missed.append({"question": item.question, "expected": item.uri, "found": uris[:3]})
    answerable, off_topic = len(ranks), len(asked) - len(ranks)
    report: dict[str, Any] = {"answerable": answerable, "off_topic": off_topic}
    if answerable:
        for limit in RANKS:
            hits = sum(rank is not None and rank <= limit for rank in ranks)
            report[f"recall_at_{limit}"] = hits / answerable
        report["mrr"] = sum(1 / rank for rank in ranks if rank) / answerable
        report["answered"] = answered / answerable
    if off_topic:
        report["refused"] = refused / off_topic
    return report | {"missed": missed}


async def ask_cases(app: App) -> dict[str, Any]:
    """How the answers that people rated down fare now, beside the last evaluation; not stored.

    `missed` lists those that fail; `better` and `worse` what changed, and `because` of what.
    """
    found = await stored.find(app.engine)
    plain = [case for case in found if can_be_asked(case)]
    before = await stored.last_run(app.engine)
    results = await ask_all(app, plain, lambda _share, _note: None)
    asked = {case.turn_id: case.question for case in plain}
    comparison = compare(before.results if before else {}, results)
    conditions = await conditions_of(app, plain)
    return {
        "cases": len(results),
        "passed": sum(result.is_passed for result in results),
        "not_asked": len(found) - len(results),
        "better": [_told(result, asked) for result in comparison.better],
        "worse": [_told(result, asked) for result in comparison.worse],
        "because": changed(before.conditions if before else {}, conditions),
        "missed": [_told(result, asked) for result in results if not result.is_passed],
    }


def _told(result: Result, asked: Mapping[int, str]) -> dict[str, Any]:
    question = asked[result.turn_id]
    return {"question": question, "turn": result.turn_id, "finding": FINDINGS[result.finding]}


def show_report(report: dict[str, Any], console: Console) -> None:
    """Print the figures in per cent, and what was missed."""
    table = Table("Measure", "Value", box=None, padding=(0, 2, 0, 0))
    for name, value in report.items():
        if name == "missed":
            continue
        if isinstance(value, list):
            value = "; ".join(_line(each) for each in value) or "none"
        shown = f"{100 * value:.1f} %" if isinstance(value, float) else str(value)
        table.add_row(name, escape(shown))
    console.print(table)
    for miss in report["missed"]:
        console.print(f"  {_line(miss)}", markup=False)


def _line(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    if "finding" in value:
        return f"{value['question']}: {value['finding']}"
    expected, found = value["expected"] or "no answer", ", ".join(value["found"]) or "nothing"
    return f"{value['question']}: expected {expected}, found {found}"
