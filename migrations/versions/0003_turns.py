"""Turns (one question with its answer), the ratings people give them, and classifier versions."""

from alembic import op

revision = "0003"
down_revision = "0002"

UPGRADE = """
CREATE TABLE artefacts (
    sha256     bytea PRIMARY KEY CHECK (sha256 = sha256(content)),
    content    bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE artefacts ALTER COLUMN content SET STORAGE EXTERNAL;

CREATE TABLE encoder_files (
    encoder_id smallint NOT NULL REFERENCES encoders ON DELETE CASCADE,
    name       text     NOT NULL CHECK (name ~ '^[a-z]+[.](onnx|json)$'),
    sha256     bytea    NOT NULL REFERENCES artefacts,
    PRIMARY KEY (encoder_id, name)
);

CREATE TABLE classifier_versions (
    id            integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    state         text  NOT NULL CHECK (state IN ('candidate', 'live', 'retired', 'refused')),
    parent_id     integer REFERENCES classifier_versions,
    artefact      bytea NOT NULL REFERENCES artefacts,
    data_snapshot text  NOT NULL,
    metrics       jsonb NOT NULL CHECK (jsonb_typeof(metrics) = 'object'),
    created_at    timestamptz NOT NULL DEFAULT now(),
    promoted_at   timestamptz,
    CHECK ((state = 'live') <= (promoted_at IS NOT NULL))
);
CREATE UNIQUE INDEX one_live_classifier ON classifier_versions (state) WHERE state = 'live';

CREATE TABLE turns (
    id                    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    platform              text NOT NULL CHECK (platform <> ''),
    conversation          text NOT NULL,
    person                text NOT NULL,
    question              text NOT NULL,
    outcome               text NOT NULL
        CHECK (outcome IN ('answered', 'abstained', 'handed_over', 'failed')),
    answer                text NOT NULL CHECK (answer <> ''),
    about                 real CHECK (about BETWEEN 0 AND 1),
    correct               real CHECK (correct BETWEEN 0 AND 1),
    intent                text,
    intent_confidence     real CHECK (intent_confidence BETWEEN 0 AND 1),
    alternatives          jsonb,
    classifier_version_id integer REFERENCES classifier_versions,
    citations             jsonb NOT NULL CHECK (jsonb_typeof(citations) = 'array'),
    passages              jsonb NOT NULL CHECK (jsonb_typeof(passages) = 'array'),
    timings_ms            jsonb NOT NULL CHECK (jsonb_typeof(timings_ms) = 'object'),
    asked_at              timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX turns_of_a_conversation ON turns (platform, conversation, id);

CREATE TABLE ratings (
    turn_id  bigint   NOT NULL REFERENCES turns ON DELETE CASCADE,
    platform text     NOT NULL,
    person   text     NOT NULL,
    value    smallint NOT NULL CHECK (value IN (-1, 1)),
    reason   text     CHECK (reason IN ('wrong_topic', 'wrong_or_outdated', 'incomplete', 'other')),
    intent   text,
    comment  text,
    rated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (turn_id, platform, person),
    CHECK (value = -1 OR (reason IS NULL AND intent IS NULL)),
    CHECK (intent IS NULL OR reason = 'wrong_topic')
);
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute("DROP TABLE ratings, turns, classifier_versions, encoder_files, artefacts")
