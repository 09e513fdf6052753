"""Where documents come from: one module a kind of source, and the contract they keep."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Item:
    """A document that a source lists.

    `uri` names it within the source for ever; `url` is where people read it; a `version_tag` that
    did not change promises an unchanged text, None promises nothing. `audience` says who may get
    answers from it, where that is not as for the whole source.
    """

    uri: str
    url: str
    version_tag: str | None
    audience: frozenset[str] | None = None


class Source(Protocol):
    """Something that can list its documents and read each as bytes."""

    name: str
    audience: frozenset[str]

    def list(self) -> Iterator[Item]:
        """Every document there is.

        Raises:
            SourceError: the listing failed or may be incomplete; nothing is then removed.
        """
        ...

    def read(self, item: Item) -> bytes:
        """The document's bytes.

        Raises:
            DocumentRejectedError: it cannot be read, with the reason.
        """
        ...
