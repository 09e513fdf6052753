"""Ours beside the yardstick: same files, weights, Postgres and questions, in turns."""

import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.contender import Contender, ContenderError
from benchmarks.datasets import squad_questions
from benchmarks.files import change_files, source_bytes, write_files
from benchmarks.measure import Row, interleave, median, percentile
from benchmarks.server import new_database

FEW, MANY = 300, 1000
CHANGED = 10
ROUNDS = 3
QUESTIONS = 120
PEOPLE = 16
BESIDE_TRAINING = 20
LAG_SECONDS = 30


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
        return [
            *self._ingestion(),
            *self._questions("question", 1 / 3),
            *self._retraining(),
            *self._questions("question with its intent", 1 / 2),
            *self._serving(),
        ]

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

    def _retraining(self) -> list[Row]:
        """How a serving process feels a training of the classifier, which it then uses."""
        home = self.log.parent / "ours"
        with Contender(self.commands["ours"], self.log) as contender, self.log.open("ab") as errors:
            texts = squad_questions(QUESTIONS)
            contender.call("askers", texts=texts[:20], count=1)
            command = ("nice", "-n", "10", sys.executable, "-m", "bot.retraining")
            started = time.perf_counter()
            training = subprocess.Popen(
                command, cwd=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                start_new_session=True,
            )  # fmt: skip
            try:
                while b"fine-tuning" not in (line := training.stdout.readline()):  # type: ignore[union-attr]
                    if not line:
                        raise ContenderError(f"the retraining ended, see {self.log}")
                beside = contender.call(
                    "lag", texts=texts, count=BESIDE_TRAINING, seconds=LAG_SECONDS
                )
                *_, last = training.stdout  # type: ignore[misc]
                if b'"is_live": true' not in last:
                    raise ContenderError(f"no classifier was promoted: {last.decode()}")
            finally:
                training.kill()
        seconds = time.perf_counter() - started
        return [
            Row("event-loop lag beside a retraining, p99", "ms", percentile(beside["lag_ms"], 99),
                target=100, note=f"{BESIDE_TRAINING} askers"),
            Row("event-loop lag beside a retraining, most", "ms", max(beside["lag_ms"]),
                target=1000),
            Row("question beside a retraining, p95", "ms", percentile(beside["ms"], 95),
                note=f"{BESIDE_TRAINING} askers"),
            Row("torch in the serving process", "modules", float(beside["has_torch"]), target=0),
            Row("retraining beside askers", "s", seconds),
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
            Row(f"{PEOPLE} askers", "questions/s", rate["ours"], rate["theirs"], target=3,
                more_is_better=True),
            Row("cold start to first answer", "s", median(starts["ours"]),
                median(starts["theirs"]), target=1 / 3),
            Row("memory of a serving process", "MiB", memory["ours"], memory["theirs"],
                target=1 / 2),
        ]  # fmt: skip

    def _questions(self, name: str, p50_target: float) -> list[Row]:
        """One asker, ours and the yardstick's retrieval alone in turns."""
        texts = squad_questions(QUESTIONS)
        with ExitStack() as stack:
            pair = self._started(stack)
            for contender in pair.values():
                contender.call("askers", texts=texts[:20], count=1)
            calls = {
                who: lambda turn, c=contender: c.call("question", text=texts[turn])["ms"]
                for who, contender in pair.items()
            }
            taken = interleave(calls, len(texts))
        return [
            Row(f"{name}, p50", "ms", percentile(taken["ours"], 50),
                percentile(taken["theirs"], 50), target=p50_target, note="theirs: retrieval alone"),
            Row(f"{name}, p95", "ms", percentile(taken["ours"], 95),
                percentile(taken["theirs"], 95), target=1 / 2),
        ]  # fmt: skip


def run(postgres: str, scratch: Path) -> list[Row]:
    """The rows; the scratch folder is emptied first."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    return Speed(postgres, scratch).rows()
