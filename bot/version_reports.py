"""The report of a classifier version, from what was stored when it was judged, as plain lines."""

from collections.abc import Iterator, Mapping
from typing import Any

from bot.intents.evaluation import wilson
from bot.storage.classifiers import Version
from bot.versions import lineage, story

SHOWN_CONFUSIONS = 10

Figures = Mapping[str, Any]


def report(version: Version) -> str:
    """All that is known of a version: where it comes from, how it did, what was compared."""
    figures = version.metrics
    lines = [f"Version {version.id}, {version.state}"]
    lines += [line for line in (lineage(version), story(version)) if line]
    lines += _examples(figures)
    test, before = figures.get("test"), figures.get("live_test")
    if not test:
        return "\n".join([*lines, "", "It was not measured."])
    lines += ["", f"On {test['examples']} test examples:"]
    lines += _overall(test, before)
    lines += _gate(figures.get("gate", []))
    lines += _intents(test, before)
    lines += _confusions(test)
    lines += _curves(test)
    return "\n".join(lines)


def _examples(figures: Figures) -> Iterator[str]:
    """What it was trained on, and which ratings became no examples, by reason."""
    if "examples" in figures:
        origins = figures.get("origins") or {}
        told = ", ".join(f"{count} {origin}" for origin, count in origins.items())
        new = f"; {figures['new']} of them are new" if figures.get("new") else ""
        yield f"Trained on {figures['examples']} examples{f' ({told})' if told else ''}{new}."
    if refused := figures.get("refused"):
        told = ", ".join(f"{reason} {count}" for reason, count in refused.items())
        yield f"Ratings that gave no example: {told}."


def _overall(test: Figures, before: Figures | None) -> Iterator[str]:
    names = {
        "accuracy": "accuracy", "macro_f1": "macro F1", "calibration_error": "calibration error",
        "kept_in_scope": "kept in scope", "refused_outside": "out of scope noticed",
    }  # fmt: skip
    for key, name in names.items():
        if test.get(key) is None:
            continue
        was = f", before {before[key]:.1%}" if before and before.get(key) is not None else ""
        cases = test["outside"] if key == "refused_outside" else test["examples"]
        is_share = key in {"accuracy", "kept_in_scope", "refused_outside"}
        interval = f" ({_interval(test[key], cases)})" if is_share else ""
        yield f"- {name} {test[key]:.1%}{interval}{was}"
    for title, figures in (test.get("sets") or {}).items():
        yield (
            f"- {title}: macro F1 {figures['macro_f1']:.1%}, accuracy {figures['accuracy']:.1%} of "
            f"{figures['examples']}"
        )


def _gate(counts: list[Figures]) -> list[str]:
    failed = [count for count in counts if count["problem"]]
    if not counts:
        return []
    if not failed:
        return ["", f"The gate compared {len(counts)} counts, and none forbids it."]
    title = f"The gate compared {len(counts)} counts, of which these forbid it:"
    return ["", title, *(f"- {count['problem']}" for count in failed)]


def _intents(test: Figures, before: Figures | None) -> list[str]:
    """Recall and precision of each intent, with their intervals at 95 %, the weakest first."""
    former = (before or {}).get("recalls", {})
    lines = ["", "By intent, with what the figure stands for at 95 %:"]
    for name, recall in sorted(test["recalls"].items(), key=lambda item: (item[1], item[0])):
        cases, predicted = test.get("cases", {}).get(name, 0), test.get("predicted", {})
        was = f", before {former[name]:.0%}" if name in former else ""
        precision = "never predicted"
        if name in predicted:
            share = test["precisions"][name]
            interval = _interval(share, predicted[name])
            precision = f"precision {share:.0%} ({interval}) of {predicted[name]}"
        lines.append(
            f"- {name}: recall {recall:.0%} ({_interval(recall, cases)}) of {cases}{was}; "
            f"{precision}"
        )
    return lines


def _confusions(test: Figures) -> list[str]:
    pairs = (test.get("confusions") or [])[:SHOWN_CONFUSIONS]
    if not pairs:
        return []
    title = "Most often taken for another:"
    return ["", title, *(f"- {right} for {taken}, {times} ×" for right, taken, times in pairs)]


def _curves(test: Figures) -> Iterator[str]:
    if bins := test.get("reliability"):
        yield from ("", "How sure it is, and how often it is right then:")
        yield from (
            f"- {sure:.0%} sure: {right:.0%} right, of {count}" for sure, right, count in bins
        )
    if risk := test.get("risk"):
        yield from ("", "Of the surest, so many are wrong:")
        told = [pair for number, pair in enumerate(risk) if number % 4 == 0]
        yield from (f"- {share:.0%} of all: {wrong:.1%}" for share, wrong in told)
    if scope := test.get("scope"):
        yield from ("", "Of what has no intent, so much is noticed with so much of the rest kept:")
        yield from (f"- {kept:.0%} kept: {noticed:.0%} noticed" for kept, noticed in scope)


def _interval(share: float, cases: int) -> str:
    low, high = wilson(share, cases)
    return f"{100 * low:.0f} to {100 * high:.0f} %"
