"""The catalog of intents: what people may want, and what is done about it."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml
from yaml.events import CollectionEndEvent, CollectionStartEvent
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from bot.errors import CatalogError

DEFAULT = Path(__file__).with_name("intents.yaml")
KEYS = {"description", "route", "sources", "reply", "utterances"}
MIN_UTTERANCES = 5
# Written in C where PyYAML was built with libyaml, as its wheels are.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MAX_CHARACTERS = 1000
# A catalog nests four levels deep. Nodes are composed by recursion, in C without a limit.
MAX_DEPTH = 20


class Route(StrEnum):
    """What is done about a message."""

    DOCUMENTS = "documents"
    REPLY = "reply"
    HANDOFF = "handoff"


@dataclass(frozen=True, slots=True)
class Intent:
    """Something that a person may want.

    `sources` are searched before all documents; the `reply` of an intent with the route to the
    documents is said where these hold no answer.
    """

    name: str
    description: str
    route: Route
    reply: str
    sources: tuple[str, ...]
    utterances: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Catalog:
    """All intents, in the order of the file."""

    intents: tuple[Intent, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The intents' names."""
        return tuple(intent.name for intent in self.intents)

    def find(self, name: str) -> Intent | None:
        """The intent of that name."""
        return next((intent for intent in self.intents if intent.name == name), None)


def load_catalog(path: Path = DEFAULT, sources: Collection[str] | None = None) -> Catalog:
    """The catalog in a YAML file; its intents may search these `sources` first, or any if None.

    Raises:
        CatalogError: it is wrong; the message lists every problem with its line.
    """
    try:
        written = path.read_text("utf-8")
        _check_depth(written, path)
        root = yaml.compose(written, Loader=LOADER)
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogError(f"{path} cannot be read: {error}. Save it as a UTF-8 file.") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise CatalogError(f"{path}, line {line}, is not YAML: {error.problem}.") from error
    except yaml.YAMLError as error:
        raise CatalogError(f"{path} is not YAML: {error}.") from error
    reader = _Reader(sources)
    catalog = Catalog(tuple(reader.intents(root)))
    if reader.problems:
        raise CatalogError("\n- ".join([f"The catalog {path} has problems:", *reader.problems]))
    return catalog


def _check_depth(written: str, path: Path) -> None:
    depth = 0
    for event in yaml.parse(written, Loader=LOADER):
        depth += isinstance(event, CollectionStartEvent)
        depth -= isinstance(event, CollectionEndEvent)
        if depth > MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise CatalogError(
                f"{path}, line {line}, nests more than {MAX_DEPTH} levels deep. Write the "
                "intents as the default catalog does."
            )


class _Reader:
    """Reads nodes, which know their lines, and collects the problems."""

    def __init__(self, sources: Collection[str] | None) -> None:
        self.problems: list[str] = []
        self._sources = sources
        self._seen: dict[str, int] = {}

    def intents(self, root: Node | None) -> Iterator[Intent]:
        """The intents below the root."""
        top = dict(self._entries(root))
        found = 0
        for unknown in top.keys() - {"intents"}:
            self._problem(
                top[unknown][0], f"there is no `{unknown}` in a catalog; it holds `intents` alone"
            )
        for name, (key, node) in self._entries(top["intents"][1] if "intents" in top else None):
            found += 1
            yield self._intent(name, key, node)
        if found < 2:
            self._problem(root, "a catalog needs `intents:` with two intents at least")

    def _intent(self, name: str, key: Node, node: Node) -> Intent:
        if not name.replace("_", "").isalnum() or name != name.lower() or len(name) > 50:
            self._problem(key, f"`{name}` is no name; write lowercase letters, digits and _")
        fields = dict(self._entries(node))
        for unknown in fields.keys() - KEYS:
            self._problem(
                fields[unknown][0],
                f"an intent has no `{unknown}`; it has {', '.join(sorted(KEYS))}",
            )
        values = {field: value for field, (_, value) in fields.items()}
        route = self._route(name, key, values.get("route"))
        reply = self._text(values.get("reply"))
        if route is not Route.DOCUMENTS and not reply:
            self._problem(key, f"`{name}` needs a `reply`, which its route says")
        return Intent(
            name,
            self._text(values.get("description")),
            route,
            reply,
            self._searched(name, values.get("sources")),
            self._utterances(name, key, values.get("utterances")),
        )

    def _route(self, name: str, key: Node, node: Node | None) -> Route:
        written = self._text(node)
        if written not in set(Route):
            self._problem(node or key, f"the `route` of `{name}` is one of {', '.join(Route)}")
            return Route.DOCUMENTS
        return Route(written)

    def _searched(self, name: str, node: Node | None) -> tuple[str, ...]:
        texts = tuple(self._texts(node))
        for item, text in texts:
            if self._sources is not None and text not in self._sources:
                self._problem(
                    item,
                    f"`{name}` searches the source `{text}`, which the settings do not have; "
                    f"they have {', '.join(self._sources)}",
                )
        return tuple(text for _, text in texts)

    def _utterances(self, name: str, key: Node, node: Node | None) -> tuple[str, ...]:
        utterances = []
        for item, text in self._texts(node):
            folded = " ".join(text.lower().split())
            if not folded:
                self._problem(item, "an utterance is empty")
            elif len(text) > MAX_CHARACTERS:
                self._problem(item, f"an utterance is longer than {MAX_CHARACTERS} characters")
            elif folded in self._seen:
                self._problem(item, f'"{text[:60]}" stands on line {self._seen[folded]} already')
            self._seen.setdefault(folded, item.start_mark.line + 1)
            utterances.append(text)
        if len(utterances) < MIN_UTTERANCES:
            self._problem(key, f"`{name}` needs {MIN_UTTERANCES} `utterances` at least")
        return tuple(utterances)

    def _entries(self, node: Node | None) -> Iterator[tuple[str, tuple[Node, Node]]]:
        if node is None or (isinstance(node, ScalarNode) and not node.value):
            return
        if not isinstance(node, MappingNode):
            self._problem(node, "here stand keys with values, `key: value`")
            return
        seen = set()
        for key, value in node.value:
            name = self._text(key)
            if name in seen:
                self._problem(key, f"`{name}` stands here twice")
            seen.add(name)
            yield name, (key, value)

    def _texts(self, node: Node | None) -> Iterator[tuple[Node, str]]:
        if isinstance(node, SequenceNode):
            for item in node.value:
                yield item, self._text(item)
        elif node is not None:
            self._problem(node, "here stands a list, each of its lines behind a -")

    def _text(self, node: Node | None) -> str:
        if isinstance(node, ScalarNode):
            return str(node.value).strip()
        if node is not None:
            self._problem(node, "here stands text; put it in quotes if it holds : or #")
        return ""

    def _problem(self, node: Any, problem: str) -> None:
        line = node.start_mark.line + 1 if node is not None else 1
        self.problems.append(f"line {line}: {problem}.")
