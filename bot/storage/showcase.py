"""What is shown of the index to people before they have asked: only what everyone may read."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.messages import EVERYONE

# Among so many documents examples are looked for; going through all would take too long.
SEARCHED_DOCUMENTS = 200
MAX_CHARACTERS = 75

SOURCES = text(
    "SELECT source, count(*) AS documents, (SELECT max(finished_at) FROM reindex_runs"
    "  WHERE reindex_runs.source = documents.source AND is_complete) AS updated_at"
    " FROM documents JOIN audiences ON audiences.id = audience_id"
    " WHERE :everyone = ANY (principals) GROUP BY source ORDER BY source"
)
# Every day begins with another document, so that people see what else there is.
EXAMPLES = text(
    "SELECT title, heading FROM ("
    "  SELECT documents.id, title, uri FROM documents JOIN audiences ON audiences.id = audience_id"
    "  WHERE :everyone = ANY (principals) ORDER BY id LIMIT :searched) AS document"
    " LEFT JOIN LATERAL (SELECT headings[cardinality(headings)] AS heading FROM chunks"
    "  WHERE document_id = document.id AND headings[cardinality(headings)] LIKE '%?'"
    "  AND length(headings[cardinality(headings)]) BETWEEN 12 AND :characters"
    "  ORDER BY ordinal LIMIT 1) AS question ON true"
    " ORDER BY heading IS NULL, md5(uri || current_date) LIMIT :count"
)


class Shown(NamedTuple):
    """A source: how many documents everyone may read, and when it was last brought up to date."""

    name: str
    documents: int
    updated_at: datetime | None


async def sources(engine: AsyncEngine) -> list[Shown]:
    """The sources that hold anything for everyone, by name."""
    async with engine.connect() as connection:
        return [Shown(*row) for row in await connection.execute(SOURCES, {"everyone": EVERYONE})]


async def example_questions(engine: AsyncEngine, count: int) -> list[str]:
    """Questions that documents answer: headings that ask one, else what a document says."""
    values = {
        "everyone": EVERYONE,
        "searched": SEARCHED_DOCUMENTS,
        "characters": MAX_CHARACTERS,
        "count": count,
    }
    async with engine.connect() as connection:
        rows = await connection.execute(EXAMPLES, values)
        return [row.heading or _about(row.title) for row in rows]


def _about(title: str) -> str:
    if title.endswith("?"):
        return title
    room = MAX_CHARACTERS - len("What does “” say?")
    return f"What does “{title if len(title) <= room else title[: room - 1] + '…'}” say?"
