"""`make bench`: quality on the tuning sets, speed beside the yardstick, latency at scale.

`python -m benchmarks [quality] [intents] [speed] [scale] [intents_full] [--json FILE]`; all but
the last, which takes 25 minutes, if none is named.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from rich.console import Console

from benchmarks import intents, measure, quality, reference, scale, speed
from benchmarks.datasets import SkipBenchmark, emanual_s10, squad, squad_half
from benchmarks.measure import Row
from benchmarks.server import exported_encoder, new_database, server

PARTS = ("quality", "intents", "speed", "scale")
MORE_PARTS = ("intents_full",)
TARGETS = {
    "squad": {"R@1": 83, "R@5": 96, "answer within three sentences": 89,
              "own questions answered": 95},
    "emanual_s10": {"R@1": 84, "R@5": 96, "own questions answered": 95,
                    "off-topic questions refused": 95},
    "squad_half": {"own questions answered": 95, "off-topic questions refused": 95},
}  # fmt: skip
console = Console()


async def measure_quality(postgres: str, scratch: Path) -> list[Row]:
    """R@k, MRR, quoted answers and refusals of each corpus, int8 and fp32."""
    rows = []
    corpora = (squad(), emanual_s10(), squad_half().sample(1000))
    for corpus in corpora:
        for precision in ("int8", "fp32"):
            if precision == "fp32" and corpus.name == "squad_half":
                continue
            folder = exported_encoder(scratch, precision)
            database = new_database(postgres, f"{corpus.name}_{precision}")
            async with quality.indexed(corpus, database, folder) as (engine, retriever):
                asked = await quality.ask(corpus, retriever)
                if precision == "int8" and corpus.name == "squad":
                    rows += await reference.rows(corpus, engine, 384)
            targets = TARGETS.get(corpus.name, {}) if precision == "int8" else {}
            rows += quality.rows(f"{corpus.name} {precision}", asked, targets)
            if precision == "int8" and corpus.name == "squad":
                rows += quality.risk_coverage(asked)
    return rows


def main() -> None:
    """Run the parts, print one table, write it as JSON."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("parts", nargs="*", help=", ".join(PARTS + MORE_PARTS))
    options.add_argument("--json", type=Path, default=Path("benchmarks/results/latest.json"))
    given = options.parse_args()
    if unknown := set(given.parts) - set(PARTS + MORE_PARTS):
        options.error(
            f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS + MORE_PARTS)}"
        )
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as postgres:
        scratch = Path(folder)
        parts = {
            "quality": lambda: asyncio.run(measure_quality(postgres, scratch)),
            "intents": lambda: intents.run(scratch),
            "intents_full": lambda: intents.run_full(scratch),
            "speed": lambda: speed.run(postgres, scratch / "speed"),
            "scale": lambda: asyncio.run(
                scale.run(new_database(postgres, "scale"), exported_encoder(scratch))
            ),
        }
        for part in given.parts or PARTS:
            started = time.perf_counter()
            try:
                rows += parts[part]()
            except SkipBenchmark as skipped:
                console.print(f"{part} is skipped: {skipped}")
            console.print(f"{part}: {time.perf_counter() - started:.0f} s", style="dim")
    measure.report(rows, given.json, console)


if __name__ == "__main__":
    main()
