"""The learning curves of `benchmarks.learning` as a table and as a picture."""

import io
import itertools
from collections.abc import Sequence
from typing import Any

from rich.table import Table

# A promoted version may be so much worse than the one before it on a test that it has not seen.
TOLERANCE = 0.005


def summary(figures: dict[str, Any]) -> dict[str, Any]:
    """What a course came to, in shares from 0 to 1, its longest retraining in seconds.

    `supervised` is None where the course has not come to its end.
    """
    rounds = figures["rounds"]
    live = [found["accuracy"] for found in rounds]
    falls = [before - after for before, after in itertools.pairwise(live)]
    return {
        "never": live[0],
        "learnt": live[-1],
        "supervised": figures.get("supervised", {}).get("accuracy"),
        "worst_fall": max([0.0, *falls]),
        "promoted": sum(_was_promoted(found["retraining"]) for found in rounds),
        "retrainings": len(rounds),
        "longest_seconds": max(found["seconds"] for found in rounds),
    }


def _was_promoted(retraining: dict[str, Any]) -> bool:
    return bool(retraining.get("is_live")) and not retraining.get("skipped")


def table(courses: Sequence[dict[str, Any]]) -> Table:
    """A line for each course."""
    shown = Table(title="Test accuracy in %, from ratings alone", title_justify="left")
    shown.add_column("", no_wrap=True)
    for heading in ("questions", "never", "learnt", "all labels", "gap", "worst fall", "promoted",
                    "longest, s"):  # fmt: skip
        shown.add_column(heading, justify="right")
    for figures in courses:
        said = summary(figures)
        all_labels = said["supervised"]
        gap = None if all_labels is None else all_labels - said["learnt"]
        fall = f"{100 * said['worst_fall']:.1f}"
        shown.add_row(
            figures["name"],
            f"{figures['rounds'][-1]['turns']:,} of {figures['questions']:,}",
            f"{100 * said['never']:.1f}",
            f"{100 * said['learnt']:.1f}",
            "–" if all_labels is None else f"{100 * all_labels:.1f}",
            "–" if gap is None else f"{100 * gap:.1f}",
            f"[red]{fall}[/]" if said["worst_fall"] > TOLERANCE else fall,
            f"{said['promoted']} of {said['retrainings']}",
            f"{said['longest_seconds']:.0f}",
        )
    return shown


def draw(courses: Sequence[dict[str, Any]]) -> bytes:
    """A PNG with a panel for each course: the live version's accuracy over the questions asked,
    those of refused candidates as crosses, and the two lines beside it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(2, len(courses))
    rows = -(-len(courses) // columns)
    figure = Figure(figsize=(6 * columns, 3.6 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, squeeze=False)
    for panel in panels.flat[len(courses) :]:
        panel.set_visible(False)
    for panel, figures in zip(panels.flat, courses, strict=False):
        _draw_course(panel, figures)
    written = io.BytesIO()
    figure.savefig(written, format="png", dpi=120)
    return written.getvalue()


def _draw_course(panel: Any, figures: dict[str, Any]) -> None:
    rounds = figures["rounds"]
    turns = [found["turns"] for found in rounds]
    live = [100 * found["accuracy"] for found in rounds]
    supervised = summary(figures)["supervised"]
    if supervised is not None:
        panel.axhline(100 * supervised, color="tab:green", linestyle="--",
                      label="all questions with their right intents")  # fmt: skip
    panel.plot(turns, live, marker="o", color="tab:blue", label="from ratings, live version")
    refused = [
        (found["turns"], 100 * found["candidate_accuracy"])
        for found in rounds
        if "candidate_accuracy" in found
    ]
    if refused:
        panel.plot(*zip(*refused, strict=True), "x", color="tab:red", label="refused candidates")
    panel.axhline(live[0], color="tab:gray", linestyle=":", label="never learning")
    panel.set_title(figures["name"], fontsize=9)
    panel.set_xlabel("questions asked")
    panel.set_ylabel("test accuracy, %")
    panel.legend(fontsize=7, loc="lower right")
