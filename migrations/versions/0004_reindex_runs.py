"""What each reindex of a source did, and whether it saw the source completely."""

from alembic import op

revision = "0004"
down_revision = "0003"

UPGRADE = """
CREATE TABLE reindex_runs (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source      text   NOT NULL CHECK (source <> ''),
    started_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz CHECK (finished_at >= started_at),
    is_complete boolean NOT NULL DEFAULT false,
    indexed     integer NOT NULL DEFAULT 0 CHECK (indexed >= 0),
    unchanged   integer NOT NULL DEFAULT 0 CHECK (unchanged >= 0),
    rejected    integer NOT NULL DEFAULT 0 CHECK (rejected >= 0),
    removed     integer NOT NULL DEFAULT 0 CHECK (removed >= 0),
    problems    jsonb  NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(problems) = 'array'),
    CHECK (NOT is_complete OR finished_at IS NOT NULL)
);
CREATE INDEX runs_of_a_source ON reindex_runs (source, id DESC);
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute("DROP TABLE reindex_runs")
