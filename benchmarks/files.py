"""A folder of real files to ingest, any prefix of it representative, and edits to some of them."""

import random
import re
from pathlib import Path

from benchmarks.datasets import DATA, SEED, SkipBenchmark, squad_articles

SUFFIXES = {".md", ".mdx", ".rst"}
SENTENCE = re.compile(r"(?:^|(?<=[.?!] ))[A-Z][^.\n`<>{}|]{40,240}\.(?=\s|$)", re.MULTILINE)


def write_files(folder: Path, count: int) -> list[Path]:
    """The first `count` files of a fixed order, documentation and paragraphs mixed evenly."""
    texts = _mixed(_documentation(), _paragraphs())
    if count > len(texts):
        raise SkipBenchmark(f"there are {len(texts)} files to write, {count} were asked for")
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for position, (name, text) in enumerate(texts[:count]):
        path = folder / f"{position:04d}-{name}"
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths


def change_files(folder: Path, count: int, edition: int = 1) -> list[Path]:
    """Edit one sentence in each of `count` files; another `edition` edits others, differently."""
    chance = random.Random(edition)
    changed: list[Path] = []
    for path in chance.sample(sorted(folder.iterdir()), len(list(folder.iterdir()))):
        text = path.read_text(encoding="utf-8")
        sentences = list(SENTENCE.finditer(text))
        if sentences:
            end = chance.choice(sentences).end() - 1
            path.write_text(f"{text[:end]}, as of edition {edition}{text[end:]}", encoding="utf-8")
            changed.append(path)
        if len(changed) == count:
            return changed
    raise SkipBenchmark(f"only {len(changed)} files of {folder} hold a sentence to edit")


def source_bytes(paths: list[Path]) -> int:
    """Size of the files on disk, together."""
    return sum(path.stat().st_size for path in paths)


def _documentation() -> list[tuple[str, str]]:
    root = DATA / "docs_corpora"
    paths = sorted(p for p in root.rglob("*") if p.suffix in SUFFIXES and p.stat().st_size)
    return [
        ("-".join(p.relative_to(root).parts), p.read_text(encoding="utf-8", errors="replace"))
        for p in paths
    ]


def _paragraphs() -> list[tuple[str, str]]:
    return [
        (
            re.sub(r"\W+", "-", f"{title}-{i}") + ".md",
            f"# {title}\n\n{paragraph['context'].strip()}\n",
        )
        for title, paragraphs in squad_articles().items()
        for i, paragraph in enumerate(paragraphs)
    ]


def _mixed(*groups: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The groups shuffled and interleaved so that each is spread evenly from first to last."""
    placed = []
    for group in groups:
        shuffled = random.Random(SEED).sample(group, len(group))
        placed += [((i + 0.5) / len(group), item) for i, item in enumerate(shuffled)]
    return [item for _, item in sorted(placed)]
