"""Draws what else a retraining showed, four panels on a PNG: confusions, calibration, what is
refused, and how the versions have come along."""

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.intents.evaluation import Metrics
from bot.intents.report import BEFORE, BETTER, SAME, WORSE, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE_INCHES, DPI = (12.0, 9.0), 100
SHOWN_CONFUSIONS = 12
MAX_NAME = 22


@dataclass(frozen=True, slots=True)
class Point:
    """A version's place in the learning curve; figures from 0 to 1."""

    version: int
    macro_f1: float
    accuracy: float
    is_refused: bool


def draw_panels(
    version: int, after: Metrics, before: Metrics | None, history: Sequence[Point]
) -> bytes:
    """The picture of a version, PNG, 1,200 × 900 pixels; `before` is the live version's figures on
    the same test, `history` all versions', oldest first."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE_INCHES, dpi=DPI)
    axes = figure.subplots(2, 2)
    _draw_confusions(axes[0][0], after)
    _draw_reliability(axes[0][1], after, before)
    _draw_risk(axes[1][0], after, before)
    _draw_history(axes[1][1], history)
    figure.suptitle(f"Version {version}, {after.examples} test examples", fontsize=12)
    content = io.BytesIO()
    with warnings.catch_warnings():
        # A script that the font lacks is drawn as boxes, which is no reason to fail.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.tight_layout(pad=1.5)
        figure.savefig(content, format="png")
    return content.getvalue()


def _draw_confusions(axes: "Axes", after: Metrics) -> None:
    """What was taken for what, the most frequent first."""
    shown = after.confusions[:SHOWN_CONFUSIONS]
    axes.set_title("Taken for another intent, times", fontsize=10)
    if not shown:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "nothing was", ha="center", transform=axes.transAxes, color=SAME)
        return
    labels = [f"{shortened(right, MAX_NAME)} → {shortened(taken, MAX_NAME)}"
              for right, taken, _ in shown]  # fmt: skip
    axes.barh(range(len(shown)), [times for _, _, times in shown], color=WORSE, height=0.6)
    axes.set_yticks(range(len(shown)), labels, fontsize=8, parse_math=False)
    axes.set_ylim(max(len(shown), 5) - 0.5, -0.5)
    axes.locator_params(axis="x", integer=True)
    _plain(axes)


def _draw_reliability(axes: "Axes", after: Metrics, before: Metrics | None) -> None:
    """How sure it says to be, beside how often it is right."""
    axes.set_title(f"Calibration, error {after.calibration_error:.1%}", fontsize=10)
    axes.plot([0, 1], [0, 1], color=BEFORE, linewidth=1, linestyle="--")
    for metrics, colour, label in ((before, BEFORE, "live before"), (after, BETTER, "candidate")):
        if metrics is not None and metrics.reliability:
            sure, right, counts = zip(*metrics.reliability, strict=True)
            most = max(counts)
            axes.plot(sure, right, color=colour, linewidth=1)
            sizes = [15 + 120 * count / most for count in counts]
            axes.scatter(sure, right, s=sizes, color=colour, label=label, zorder=3)
    axes.set_xlabel("how sure it is", fontsize=9)
    axes.set_ylabel("share that is right", fontsize=9)
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    _plain(axes)


def _draw_risk(axes: "Axes", after: Metrics, before: Metrics | None) -> None:
    """What is wrong among the surest and, of texts outside all intents, what is noticed."""
    axes.set_title("The surest first: share of them that is wrong", fontsize=10)
    for metrics, colour, label in ((before, BEFORE, "live before"), (after, WORSE, "candidate")):
        if metrics is not None and metrics.risk:
            axes.plot(*zip(*metrics.risk, strict=True), color=colour, label=label)
    axes.set_xlabel("share of messages routed by intent", fontsize=9)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    _plain(axes)
    if after.scope:
        other = axes.twinx()
        other.plot(*zip(*after.scope, strict=True), color=BETTER, linestyle=":")
        other.set_ylabel("of what has no intent, noticed (dotted)", fontsize=9, color=BETTER)
        other.set_ylim(0, 1.02)
        _plain(other)


def _draw_history(axes: "Axes", history: Sequence[Point]) -> None:
    axes.set_title("Versions so far, each on the test of its time", fontsize=10)
    places = {point.version: place for place, point in enumerate(history)}
    promoted = [point for point in history if not point.is_refused]
    for name, colour in (("accuracy", SAME), ("macro_f1", BETTER)):
        axes.plot(
            [places[point.version] for point in promoted],
            [getattr(point, name) for point in promoted],
            color=colour, marker="o", markersize=4, label=name.replace("_f1", " F1"),
        )  # fmt: skip
    refused = [point for point in history if point.is_refused]
    axes.scatter(
        [places[point.version] for point in refused], [point.macro_f1 for point in refused],
        color=WORSE, marker="x", label="refused, macro F1",
    )  # fmt: skip
    step = max(1, len(history) // 10)
    axes.set_xticks(range(0, len(history), step), [str(point.version) for point in history[::step]])
    axes.set_xlabel("version", fontsize=9)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    _plain(axes)


def _plain(axes: "Axes") -> None:
    axes.tick_params(length=0, labelsize=8)
    axes.grid(color="#eaeef2")
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_visible(False)
