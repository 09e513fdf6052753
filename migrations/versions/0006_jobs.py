"""Background jobs: procrastinate's queue, what became of each job, and what the clock fired."""

from pathlib import Path

from alembic import op

revision = "0006"
down_revision = "0005"

# A copy of schema.sql of procrastinate 3.10.0 (MIT licence): read from the installed package, a
# migration that was applied would change its meaning with the package's next version.
QUEUE = Path(__file__).parent.parent / "schemas" / "procrastinate-3.10.0.sql"

UPGRADE = """
CREATE TABLE jobs (
    id            bigint   PRIMARY KEY REFERENCES procrastinate_jobs ON DELETE CASCADE,
    kind          text     NOT NULL CHECK (kind ~ '^[a-z_]+$'),
    key           text     NOT NULL,
    requested_by  text     NOT NULL CHECK (requested_by <> ''),
    requested_at  timestamptz NOT NULL DEFAULT now(),
    started_at    timestamptz,
    finished_at   timestamptz,
    fraction      real     CHECK (fraction BETWEEN 0 AND 1),
    note          text,
    seconds_left  real     CHECK (seconds_left >= 0),
    deaths        smallint NOT NULL DEFAULT 0 CHECK (deaths >= 0),
    result        jsonb    CHECK (jsonb_typeof(result) = 'object'),
    failure       text     CHECK (failure <> ''),
    superseded_by bigint   REFERENCES jobs ON DELETE SET NULL,
    CHECK ((result IS NULL AND failure IS NULL) OR finished_at IS NOT NULL),
    CHECK (result IS NULL OR failure IS NULL),
    CHECK (superseded_by IS DISTINCT FROM id),
    CHECK (finished_at >= coalesce(started_at, requested_at))
);
CREATE INDEX jobs_by_what_they_do ON jobs (kind, key, finished_at DESC);
CREATE INDEX jobs_by_their_successor ON jobs (superseded_by) WHERE superseded_by IS NOT NULL;

CREATE TABLE firings (
    job       text        NOT NULL CHECK (job <> ''),
    fire_time timestamptz NOT NULL,
    job_id    bigint      REFERENCES jobs ON DELETE SET NULL,
    PRIMARY KEY (job, fire_time)
);
CREATE INDEX firings_by_their_job ON firings (job_id);
"""

DOWNGRADE = """
DROP TABLE firings, jobs;
DROP TABLE procrastinate_events, procrastinate_periodic_defers, procrastinate_jobs,
    procrastinate_workers CASCADE;
DO $$
DECLARE
    name regprocedure;
BEGIN
    FOR name IN SELECT oid FROM pg_proc
        WHERE pronamespace = current_schema()::regnamespace AND proname ^@ 'procrastinate_'
    LOOP
        EXECUTE format('DROP FUNCTION %s', name);
    END LOOP;
END;
$$;
DROP TYPE procrastinate_job_to_defer_v1, procrastinate_job_event_type, procrastinate_job_status;
"""


def upgrade() -> None:
    run(QUEUE.read_text("utf-8"))
    run(UPGRADE)


def downgrade() -> None:
    run(DOWNGRADE)


def run(script: str) -> None:
    """Run several statements that hold colons and percent signs, which are no parameters."""
    op.get_bind().exec_driver_sql(script.replace("%", "%%"))
