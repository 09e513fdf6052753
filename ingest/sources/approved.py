"""The answers that admins approved, as a source."""

import json
from collections.abc import Iterator, Sequence

from bot.errors import DocumentRejectedError
from bot.messages import APPROVED_ANSWERS, EVERYONE
from bot.storage.approved import Approved, version_tag
from ingest.sources import Item


class ApprovedSource:
    """Each answer is a page: its question the title, cited with its author and date."""

    def __init__(self, answers: Sequence[Approved]) -> None:
        self.name = APPROVED_ANSWERS
        self.audience = frozenset({EVERYONE})
        self._answers = {answer.uri: answer for answer in answers}

    def list(self) -> Iterator[Item]:
        """Every answer that was published when this was made."""
        for uri, answer in self._answers.items():
            tag = version_tag(answer.confirmed_at)
            yield Item(uri, cited_as(answer), tag, answer.audience)

    def read(self, item: Item) -> bytes:
        """The answer as a page of Markdown."""
        answer = self._answers.get(item.uri)
        if answer is None:
            raise DocumentRejectedError("was withdrawn meanwhile")
        title = json.dumps(answer.question, ensure_ascii=False)
        return f"---\ntitle: {title}\n---\n\n{answer.answer}\n".encode()


def cited_as(answer: Approved) -> str:
    """What stands behind the title where the answer is cited."""
    day = answer.confirmed_at
    return f"approved answer {answer.id}, {answer.author_name}, {day.day} {day:%B %Y}"
