"""Ours beside the yardstick: same files, weights, Postgres and questions, in turns."""

import shutil
import sys
from contextlib import ExitStack
from pathlib import Path

from benchmarks.contender import Contender
from benchmarks.datasets import squad_questions
from benchmarks.files import change_files, source_bytes, write_files
from benchmarks.measure import Row, interleave, median, percentile
from benchmarks.server import new_database

FEW, MANY = 300, 1000
CHANGED = 10
ROUNDS = 3
QUESTIONS = 120
PEOPLE = 16


class Speed:
    """Two contenders on one folder, each with a database of its own."""

    def __init__(self, postgres: str, scratch: Path) -> None:
        self.folder = scratch / "files"
        self.log = scratch / "contenders.log"
        python = sys.executable
        self.commands = {
            "ours": [
                python, "-m", "benchmarks.ours", "--postgres", new_database(postgres, "ours"),
                "--home", str(scratch / "ours"), "--folder", str(self.folder),
            ],
            "theirs": [
                python, "-m", "benchmarks.yardstick",
                "--postgres", new_database(postgres, "theirs"),
                "--storage", str(scratch / "theirs"),
            ],
        }  # fmt: skip

    def rows(self) -> list[Row]:
        """Every comparison, in the order in which a user meets them."""
        return [*self._ingestion(), *self._serving()]

    def _started(self, stack: ExitStack) -> dict[str, Contender]:
        return {
            name: stack.enter_context(Contender(command, self.log))
            for name, command in self.commands.items()
        }

    def _ingestion(self) -> list[Row]:
        with ExitStack() as stack:
            pair = self._started(stack)
            seconds = dict.fromkeys(pair, 0.0)
            memory: dict[str, list[float]] = {name: [] for name in pair}
            for count in (FEW, MANY):
                paths = write_files(self.folder, count)
                for name, contender in pair.items():
                    seconds[name] += contender.call("ingest", folder=str(self.folder))["seconds"]
                    memory[name].append(contender.rss_mib())
            size = source_bytes(paths)
            limit = pair["ours"].call("encoder_limit")
            unchanged = interleave(self._ingests(pair), ROUNDS)

            def change(turn: int) -> None:
                change_files(self.folder, CHANGED, edition=turn + 1)

            changed: dict[str, list[float]] = {name: [] for name in pair}
            for turn in range(ROUNDS):
                change(turn)
                for name, call in self._ingests(pair).items():
                    changed[name].append(call(turn))
        return [
            Row(f"first ingestion, {MANY} files", "kB/s", size / seconds["ours"] / 1000,
                size / seconds["theirs"] / 1000, target=1.8, more_is_better=True),
            Row("of which the encoder alone", "share", limit["seconds"] / seconds["ours"],
                target=0.9, more_is_better=True,
                note=f"{limit['tokens'] / limit['seconds']:.0f} tokens/s"),
            Row(f"memory, {MANY} files over {FEW}", "ratio", memory["ours"][1] / memory["ours"][0],
                target=1.15),
            Row(f"{MANY} unchanged files", "s", median(unchanged["ours"]),
                median(unchanged["theirs"]), target=1 / 8),
            Row(f"{CHANGED} of {MANY} changed", "s", median(changed["ours"]),
                median(changed["theirs"]), target=1 / 4),
        ]  # fmt: skip

    def _ingests(self, pair: dict[str, Contender]):
        def call(contender: Contender):
            return lambda _: contender.call("ingest", folder=str(self.folder))["seconds"]

        return {name: call(contender) for name, contender in pair.items()}

    def _serving(self) -> list[Row]:
        texts = squad_questions(QUESTIONS)
        starts: dict[str, list[float]] = {name: [] for name in self.commands}
        for turn in range(ROUNDS):
            for name, command in self.commands.items():
                with Contender(command, self.log) as contender:
                    starts[name].append(contender.first_answer_seconds(texts[turn]))
        with ExitStack() as stack:
            pair = self._started(stack)
            for contender in pair.values():
                contender.call("askers", texts=texts[:20], count=1)
            alone = interleave(self._questions(pair, texts), len(texts))
            memory = {name: contender.rss_mib() for name, contender in pair.items()}
            many = interleave(
                {
                    name: lambda _, c=contender: c.call("askers", texts=texts, count=PEOPLE)
                    for name, contender in pair.items()
                },
                ROUNDS,
            )
        rate = {name: median([run["per_second"] for run in runs]) for name, runs in many.items()}
        return [
            Row("question, p50", "ms", percentile(alone["ours"], 50),
                percentile(alone["theirs"], 50), target=1 / 3, note="theirs: retrieval alone"),
            Row("question, p95", "ms", percentile(alone["ours"], 95),
                percentile(alone["theirs"], 95), target=1 / 2),
            Row(f"{PEOPLE} askers", "questions/s", rate["ours"], rate["theirs"], target=3,
                more_is_better=True),
            Row("cold start to first answer", "s", median(starts["ours"]),
                median(starts["theirs"]), target=1 / 3),
            Row("memory of a serving process", "MiB", memory["ours"], memory["theirs"],
                target=1 / 2),
        ]  # fmt: skip

    def _questions(self, pair: dict[str, Contender], texts: list[str]):
        return {
            name: lambda turn, c=contender: c.call("question", text=texts[turn])["ms"]
            for name, contender in pair.items()
        }


def run(postgres: str, scratch: Path) -> list[Row]:
    """The rows; the scratch folder is emptied first."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    return Speed(postgres, scratch).rows()
