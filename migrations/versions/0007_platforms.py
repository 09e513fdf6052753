"""What chat platforms need: the durable inbox, channels, hand-offs, and who asked for what work."""

from alembic import op

revision = "0007"
down_revision = "0006"

UPGRADE = """
CREATE TABLE inbox (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    platform       text NOT NULL CHECK (platform <> ''),
    workspace      text NOT NULL,
    channel        text NOT NULL CHECK (channel <> ''),
    message        text NOT NULL CHECK (message <> ''),
    client_message text,
    conversation   text NOT NULL,
    person         text NOT NULL CHECK (person <> ''),
    text           text NOT NULL,
    way            text NOT NULL CHECK
        (way IN ('mention', 'direct', 'follow_up', 'overheard', 'command', 'shortcut')),
    details        jsonb NOT NULL CHECK (jsonb_typeof(details) = 'object'),
    state          text NOT NULL CHECK
        (state IN ('waiting', 'answered', 'ignored', 'withdrawn', 'refused', 'undeliverable')),
    deaths         smallint NOT NULL DEFAULT 0 CHECK (deaths >= 0),
    is_stopped     boolean NOT NULL DEFAULT false,
    reply          text,
    received_at    timestamptz NOT NULL DEFAULT now(),
    ended_at       timestamptz,
    CHECK ((state = 'waiting') = (ended_at IS NULL)),
    UNIQUE (platform, workspace, channel, message)
);
CREATE UNIQUE INDEX inbox_by_client_message ON inbox (platform, workspace, client_message)
    WHERE client_message IS NOT NULL;
CREATE INDEX inbox_waiting ON inbox (received_at) WHERE state = 'waiting';
CREATE INDEX inbox_of_a_person ON inbox (platform, person, received_at);
CREATE INDEX inbox_of_a_channel ON inbox (platform, channel, received_at);
CREATE INDEX inbox_of_a_conversation ON inbox (platform, conversation, id);

CREATE TABLE deliveries (
    platform    text NOT NULL,
    key         text NOT NULL CHECK (key <> ''),
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (platform, key)
);
CREATE INDEX deliveries_by_age ON deliveries (received_at);

ALTER TABLE turns ADD COLUMN inbox_id bigint UNIQUE REFERENCES inbox ON DELETE SET NULL;
ALTER TABLE ratings ADD COLUMN is_by_reaction boolean NOT NULL DEFAULT false;
CREATE INDEX inbox_by_reply ON inbox (platform, channel, reply) WHERE reply IS NOT NULL;

CREATE TABLE channels (
    platform   text NOT NULL CHECK (platform <> ''),
    workspace  text NOT NULL,
    channel    text NOT NULL CHECK (channel <> ''),
    mode       text CHECK (mode IN ('mention', 'questions', 'all')),
    refusal    text CHECK (refusal <> ''),
    seen       text,
    changed_by text,
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (platform, workspace, channel)
);

CREATE TABLE handoffs (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    turn_id      bigint NOT NULL UNIQUE REFERENCES turns ON DELETE CASCADE,
    platform     text NOT NULL CHECK (platform <> ''),
    workspace    text NOT NULL,
    asked_in     text NOT NULL,
    asked_thread text NOT NULL,
    asked_by     text NOT NULL,
    channel      text,
    message      text,
    state        text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'claimed', 'resolved')),
    claimed_by   text,
    resolved_by  text,
    resolution   text CHECK (resolution <> ''),
    opened_at    timestamptz NOT NULL DEFAULT now(),
    claimed_at   timestamptz,
    resolved_at  timestamptz,
    tries        smallint NOT NULL DEFAULT 0 CHECK (tries >= 0),
    tried_at     timestamptz,
    CHECK ((state = 'open') = (claimed_by IS NULL)),
    CHECK ((state = 'resolved') = (resolved_by IS NOT NULL))
);
CREATE INDEX handoffs_unresolved ON handoffs (opened_at) WHERE state <> 'resolved';
CREATE INDEX handoffs_of_a_thread ON handoffs (platform, asked_in, asked_thread);

CREATE TABLE audit (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    platform   text NOT NULL CHECK (platform <> ''),
    workspace  text NOT NULL,
    person     text NOT NULL,
    channel    text,
    command    text NOT NULL CHECK (command <> ''),
    arguments  text NOT NULL,
    is_allowed boolean NOT NULL,
    called_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX audit_by_age ON audit (called_at);

CREATE TABLE job_watchers (
    job_id    bigint NOT NULL REFERENCES jobs ON DELETE CASCADE,
    platform  text   NOT NULL CHECK (platform <> ''),
    workspace text   NOT NULL,
    channel   text   NOT NULL CHECK (channel <> ''),
    person    text   NOT NULL CHECK (person <> ''),
    message   text,
    told      text,
    told_at   timestamptz,
    is_over   boolean NOT NULL DEFAULT false,
    PRIMARY KEY (job_id, platform, workspace, channel)
);
CREATE INDEX job_watchers_to_tell ON job_watchers (platform) WHERE NOT is_over;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute("DROP TABLE job_watchers, audit, handoffs, channels, deliveries")
    op.execute("ALTER TABLE turns DROP COLUMN inbox_id")
    op.execute("ALTER TABLE ratings DROP COLUMN is_by_reaction")
    op.execute("DROP TABLE inbox")
