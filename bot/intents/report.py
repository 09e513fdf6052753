"""Draws what a retraining showed: each intent's recall before and after, as a PNG."""

import io
import textwrap
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.intents.evaluation import Metrics

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH_INCHES, DPI = 10.0, 100
ROW_INCHES, FRAME_INCHES = 0.27, 1.35
MAX_INTENTS = 40
MAX_NAME = 32
BETTER, WORSE, SAME, BEFORE = "#1a7f37", "#cf222e", "#57606a", "#afb8c1"


@dataclass(frozen=True, slots=True)
class Row:
    """An intent: its recall, from 0 to 1, by the candidate and, if there was one, live before."""

    name: str
    after: float
    before: float | None
    cases: int

    @property
    def change(self) -> float:
        """By how much it is better."""
        return 0.0 if self.before is None else self.after - self.before

    @property
    def label(self) -> str:
        """The recall in percent, and of how many examples."""
        start = "" if self.before is None else f"{100 * self.before:.0f} → "
        return f"{start}{100 * self.after:.0f} % of {self.cases}"

    @property
    def colour(self) -> str:
        """What tells better from worse."""
        return SAME if not self.change else BETTER if self.change > 0 else WORSE


def draw(version: int, decision: str, after: Metrics, before: Metrics | None) -> bytes:
    """The picture of a version, PNG, 1,000 pixels wide: `before` is the live version's figures on
    the same test; `decision` the gate's, a sentence."""
    from matplotlib.figure import Figure

    rows = shown_rows(after, before)
    heading = _heading(version, decision, after, before, is_whole=len(rows) == len(after.recalls))
    lines = heading.count("\n") + 1
    height = FRAME_INCHES + ROW_INCHES * len(rows) + 0.2 * lines
    figure = Figure(figsize=(WIDTH_INCHES, height), dpi=DPI)
    axes = figure.add_axes(
        (0.28, 0.55 / height, 0.55, (ROW_INCHES * len(rows) + 0.3) / height), frameon=False
    )
    _draw_rows(axes, rows)
    figure.text(
        0.02, 1 - 0.15 / height, heading, va="top", fontsize=11, linespacing=1.4, parse_math=False
    )
    if before is not None:
        _draw_legend(axes)
    content = io.BytesIO()
    with warnings.catch_warnings():
        # A script that the font lacks is drawn as boxes, which is no reason to fail.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(content, format="png")  # by Agg, as nothing else is asked for
    return content.getvalue()


def shown_rows(after: Metrics, before: Metrics | None) -> list[Row]:
    """The MAX_INTENTS that changed most, else the weakest; the worst losses first."""
    former = before.recalls if before else {}
    rows = [
        Row(name, recall, former.get(name), after.cases.get(name, 0))
        for name, recall in after.recalls.items()
    ]
    chosen = sorted(rows, key=lambda row: (-abs(row.change), row.after))[:MAX_INTENTS]
    return sorted(chosen, key=lambda row: (row.change, row.after, row.name))


def _heading(
    version: int, decision: str, after: Metrics, before: Metrics | None, *, is_whole: bool
) -> str:
    figures = [
        f"{name} {'' if was is None else f'{100 * was:.1f} → '}{100 * now:.1f} %"
        for name, now, was in (
            ("accuracy", after.accuracy, before.accuracy if before else None),
            ("macro F1", after.macro_f1, before.macro_f1 if before else None),
        )
    ]
    lines = [f"Version {version}: {', '.join(figures)} on {after.examples} test examples"]
    lines += textwrap.wrap(decision, 110, max_lines=3, placeholder=" …")
    if not is_whole:
        which = "that changed most" if before else "with the lowest recall"
        lines.append(f"Shown are the {MAX_INTENTS} of {len(after.recalls)} intents {which}.")
    return "\n".join(lines)


def _draw_rows(axes: "Axes", rows: list[Row]) -> None:
    places = range(len(rows))
    for place, row in zip(places, rows, strict=True):
        if row.before is None:
            axes.plot([0, row.after], [place, place], color=BEFORE, linewidth=2, zorder=1)
        else:
            axes.plot([row.before, row.after], [place, place], color=row.colour, zorder=1)
            axes.scatter([row.before], [place], color=BEFORE, s=40, zorder=2)
        axes.scatter([row.after], [place], color=row.colour, s=40, zorder=3)
        axes.text(1.04, place, row.label, va="center", fontsize=9, color=row.colour)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(len(rows) - 0.4, -0.9)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"], fontsize=9)
    axes.set_yticks(
        places, [shortened(row.name, MAX_NAME) for row in rows], fontsize=9, parse_math=False
    )
    axes.tick_params(length=0)
    axes.grid(axis="x", color="#eaeef2")
    axes.set_axisbelow(True)
    axes.set_xlabel("recall: the share of an intent's test examples that is recognised", fontsize=9)


def _draw_legend(axes: "Axes") -> None:
    for colour, label in (
        (BEFORE, "live before"),
        (BETTER, "better"),
        (WORSE, "worse"),
        (SAME, "same"),
    ):
        axes.scatter([], [], color=colour, s=40, label=label)
    axes.legend(
        loc="lower right", bbox_to_anchor=(1, 1), ncols=4, frameon=False, fontsize=9,
        borderaxespad=0, handletextpad=0.2, columnspacing=1.2,
    )  # fmt: skip


def shortened(name: str, characters: int) -> str:
    """The name, or its beginning."""
    return name if len(name) <= characters else f"{name[: characters - 1]}…"
