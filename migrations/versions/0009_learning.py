"""What learning from ratings stores: what people decided about questions, and who is left out."""

from alembic import op

revision = "0009"
down_revision = "0008"

UPGRADE = """
CREATE TABLE to_review (
    turn_id     bigint PRIMARY KEY REFERENCES turns ON DELETE CASCADE,
    why         text NOT NULL CHECK (why IN ('quarantined', 'conflicting')),
    information real NOT NULL CHECK (information >= 0),
    noted_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE settled (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    turn_id        bigint UNIQUE REFERENCES turns ON DELETE SET NULL,
    asker_platform text NOT NULL,
    asker          text NOT NULL,
    text           text NOT NULL CHECK (text <> ''),
    is_paraphrase  boolean NOT NULL DEFAULT false,
    intent         text CHECK (intent <> ''),
    settled_on     text NOT NULL CHECK (settled_on <> ''),
    settled_by     text NOT NULL,
    settled_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX settled_of_a_person ON settled (asker_platform, asker);

CREATE TABLE barred_people (
    platform  text NOT NULL CHECK (platform <> ''),
    person    text NOT NULL CHECK (person <> ''),
    barred_by text NOT NULL,
    barred_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (platform, person)
);

CREATE TABLE version_people (
    version_id integer NOT NULL REFERENCES classifier_versions ON DELETE CASCADE,
    platform   text    NOT NULL CHECK (platform <> ''),
    person     text    NOT NULL CHECK (person <> ''),
    examples   integer NOT NULL CHECK (examples > 0),
    PRIMARY KEY (version_id, platform, person)
);
CREATE INDEX version_people_by_person ON version_people (platform, person);

ALTER TABLE classifier_versions
    ADD COLUMN forgotten_examples integer NOT NULL DEFAULT 0 CHECK (forgotten_examples >= 0);
CREATE INDEX ratings_by_time ON ratings (rated_at);
CREATE INDEX ratings_of_a_person ON ratings (platform, person, rated_at);
CREATE INDEX turns_of_a_person ON turns (platform, person);
"""

DOWNGRADE = """
DROP INDEX turns_of_a_person, ratings_of_a_person, ratings_by_time;
ALTER TABLE classifier_versions DROP COLUMN forgotten_examples;
DROP TABLE version_people, barred_people, settled, to_review;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
