"""What a version was trained and tested with, as it is stored beside the version: JSON lines."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bot.intents.dataset import Example, Origin, Split

TRAINING, TEST, OUTSIDE = "training", "test", "outside"

Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A stored snapshot; `plan` is how the version was trained."""

    plan: Mapping[str, Any]
    examples: tuple[Example, ...]

    def of(self, *origins: Origin) -> set[tuple[str, str]]:
        """The texts with their intents of these origins."""
        return {(each.text, each.intent) for each in self.examples if each.origin in origins}


def write(plan: Mapping[str, Any], data: Split, outside: Iterable[str] = ()) -> bytes:
    """The plan, then an example a line, then the texts settled as of no intent."""
    lines: list[Line] = [dict(plan)]
    for part, examples in ((TRAINING, data.training), (TEST, data.test)):
        lines += [{"part": part} | asdict(example) for example in examples]
    lines += [{"part": OUTSIDE, "text": text} for text in outside]
    return _joined(lines)


def read(content: bytes) -> Snapshot:
    """What was written, also by versions of supportbot that noted text and intent alone."""
    plan, *lines = _lines(content)
    return Snapshot(plan, tuple(_example(line) for line in lines if line["part"] != OUTSIDE))


def without(content: bytes, is_gone: Callable[[Line], bool]) -> tuple[bytes, int]:
    """The snapshot without some of its lines, and how many these were."""
    plan, *lines = _lines(content)
    kept = [line for line in lines if not is_gone(line)]
    return _joined([plan, *kept]), len(lines) - len(kept)


def _example(line: Line) -> Example:
    return Example(
        line["text"],
        line["intent"],
        Origin(line.get("origin", Origin.CATALOG)),
        line.get("weight", 1.0),
        tuple(line.get("turns", ())),
        tuple(line.get("people", ())),
        tuple(line.get("versions", ())),
    )


def _lines(content: bytes) -> list[Line]:
    # Not splitlines: that also cuts at separators which JSON leaves in texts.
    return [json.loads(line) for line in content.decode().split("\n") if line]


def _joined(lines: Iterable[Line]) -> bytes:
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
