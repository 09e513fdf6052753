"""Catalogs: the default one, and what is said about wrong ones."""

from collections import Counter
from pathlib import Path

import pytest
import yaml

from bot.errors import CatalogError
from bot.intents.catalog import DEFAULT, Route, load_catalog
from tests.intents.conftest import CATALOG

HOLDOUT = Path(__file__).with_name("holdout.yaml")


def problems(tmp_path: Path, text: str) -> str:
    """What is said about a catalog of that text."""
    path = tmp_path / "intents.yaml"
    path.write_text(text)
    with pytest.raises(CatalogError) as raised:
        load_catalog(path)
    return str(raised.value)


def test_the_default_catalog_has_an_intent_for_whatever_a_support_team_hears() -> None:
    catalog = load_catalog()
    routes = {intent.name: intent.route for intent in catalog.intents}
    assert len(routes) >= 10
    assert routes["question"] is routes["problem_report"] is Route.DOCUMENTS
    assert routes["talk_to_a_person"] is Route.HANDOFF
    assert routes["greeting"] is routes["not_for_the_bot"] is Route.REPLY
    for intent in catalog.intents:
        assert len(intent.utterances) >= 30, intent.name
        assert intent.description


def test_the_hold_out_shares_no_utterance_with_the_catalog() -> None:
    catalog = load_catalog()
    holdout = yaml.safe_load(HOLDOUT.read_text("utf-8"))
    assert set(holdout) == set(catalog.names)
    for intent in catalog.intents:
        own = {" ".join(text.lower().split()) for text in intent.utterances}
        others = {" ".join(text.lower().split()) for text in holdout[intent.name]}
        assert len(others) >= 10
        assert not own & others


def test_every_problem_of_a_catalog_is_named_by_its_line(tmp_path: Path) -> None:
    said = problems(
        tmp_path,
        CATALOG.replace("route: reply", "route: answer")
        .replace("description: wants a human", "descriptoin: wants a human")
        .replace("- hiya", "- hi  there"),
    )
    lines = CATALOG.splitlines()
    assert f"line {lines.index('    route: reply') + 1}: the `route` of `greeting`" in said
    assert f"line {lines.index('    description: wants a human') + 1}: an intent has no" in said
    assert f'line {lines.index("      - hiya") + 1}: "hi  there" stands on line' in said


def test_a_source_that_the_settings_lack_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "intents.yaml"
    text = CATALOG.replace(
        "    route: documents\n", "    route: documents\n    sources: [wiki, wikki]\n"
    )
    path.write_text(text)
    assert load_catalog(path).intents[0].sources == ("wiki", "wikki")
    with pytest.raises(CatalogError) as raised:
        load_catalog(path, ["wiki", "handbook"])
    line = text.splitlines().index("    sources: [wiki, wikki]") + 1
    assert str(raised.value).splitlines()[1:] == [
        f"- line {line}: `question` searches the source `wikki`, which the settings do not have; "
        "they have wiki, handbook."
    ]


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "[\n" * 100_000, "intents: " + "{a: " * 100_000, "- " * 100_000 + "a"],
    ids=["open lists", "lines", "keys", "dashes"],
)
def test_a_file_nested_too_deep_is_an_error_and_no_crash(tmp_path: Path, text: str) -> None:
    assert "nests more than 20 levels deep" in problems(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "two intents at least"),
        ("intents: [a, b]", "here stand keys with values"),
        ("intents:\n  a:\n    route: [documents]\n", "line 3: here stands text"),
        ("intents:\n  a: {route: documents}\n  b: {route: reply}\n", "`b` needs a `reply`"),
        ("intents:\n  a: {route: documents}\n", "`a` needs 5 `utterances` at least"),
        ("intents:\n  A b: {route: documents}\n", "`A b` is no name"),
        ("intents: {}\nintent: {}\n", "line 2: there is no `intent` in a catalog"),
        ("intents:\n  - 'a\n", "is not YAML"),
        ("intents: !!python/object:os.system {}\n", "two intents at least"),
        ("a: &a [*a]\n", "two intents at least"),
    ],
)
def test_a_wrong_catalog_says_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    assert said in problems(tmp_path, text)


def test_a_catalog_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="cannot be read"):
        load_catalog(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"intents: \xff")
    with pytest.raises(CatalogError, match="UTF-8"):
        load_catalog(tmp_path / "latin.yaml")


def test_no_utterance_of_the_default_catalog_belongs_to_two_intents() -> None:
    catalog = yaml.safe_load(DEFAULT.read_text("utf-8"))["intents"]
    counts = Counter(
        " ".join(str(text).lower().split())
        for intent in catalog.values()
        for text in intent["utterances"]
    )
    assert counts.most_common(1)[0][1] == 1
