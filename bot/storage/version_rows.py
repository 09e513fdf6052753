"""The table of classifier versions: its rows, and the statements that move versions through it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

COLUMNS = (
    "id, state, parent_id, encoder_id, intents, metrics, refusal, created_at, promoted_at,"
    " promoted_by, is_rollback, replaced_id, rolled_back_at, rolled_back_by,"
    " encode(data, 'hex') AS data, overruled,"
    " EXISTS (SELECT FROM classifier_files WHERE version_id = id) AS has_files"
)
KEPT_VERSIONS = 10
KEPT_REFUSED = 3

# Two promotions at once would each retire the same version and break the unique index.
PROMOTION = text("SELECT pg_advisory_xact_lock(hashtext('supportbot promotion'))")
RETIRE = text(
    "UPDATE classifier_versions SET state = 'retired',"
    " rolled_back_at = CASE WHEN :is_rollback THEN now() END,"
    " rolled_back_by = CASE WHEN :is_rollback THEN :by END WHERE state = 'live'"
)
PROMOTE = text(
    "UPDATE classifier_versions SET state = 'live', refusal = NULL, promoted_at = now(),"
    " promoted_by = :by, is_rollback = :is_rollback, rolled_back_at = NULL, rolled_back_by = NULL,"
    " overruled = CASE WHEN :is_forced THEN coalesce(refusal, 'It was never judged.')"
    " ELSE overruled END,"
    " replaced_id = CASE WHEN promoted_at IS NULL THEN :live ELSE replaced_id END"
    " WHERE id = :version"
)
OLD = text(
    "SELECT id FROM (SELECT id, state, row_number() OVER (PARTITION BY state = 'refused'"
    " ORDER BY coalesce(promoted_at, created_at) DESC, id DESC) AS place"
    " FROM classifier_versions) AS placed"
    " WHERE place > CASE WHEN state = 'refused' THEN :refused ELSE :versions END"
    " AND NOT EXISTS (SELECT FROM classifier_versions AS live WHERE live.state = 'live'"
    " AND placed.id IN (live.id, live.replaced_id))"
)


@dataclass(frozen=True, slots=True)
class Version:
    """A trained classifier; `state` is candidate, live, retired or refused.

    `parent_id` was live when it was trained, `replaced_id` when it first went live itself. It was
    `rolled_back` where another was put in its place by hand. Without files it cannot go live.
    `data` is the SHA-256 of what it was trained and tested with, in hexadecimal; `overruled` says
    why it should not have gone live where somebody made it nevertheless.
    """

    id: int
    state: str
    parent_id: int | None
    encoder_id: int
    intents: tuple[str, ...]
    metrics: dict[str, Any]
    refusal: str | None
    created_at: datetime
    promoted_at: datetime | None
    promoted_by: str | None
    is_rollback: bool
    replaced_id: int | None
    rolled_back_at: datetime | None
    rolled_back_by: str | None
    has_files: bool
    data: str | None
    overruled: str | None


@dataclass(frozen=True, slots=True)
class NewVersion:
    """What is stored of a candidate; `parent_id` is the version that was live meanwhile."""

    encoder_id: int
    parent_id: int | None
    intents: Sequence[str]
    metrics: Mapping[str, Any]
    files: Mapping[str, bytes]


def version_of(row: Any) -> Version:
    """A row of COLUMNS."""
    return Version(**dict(row._mapping) | {"intents": tuple(row.intents)})
