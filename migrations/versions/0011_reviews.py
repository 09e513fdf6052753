"""What reviewing needs besides: what people passed over, and questions by their wording."""

from alembic import op

revision = "0011"
down_revision = "0010"

UPGRADE = """
CREATE TABLE passed_over (
    turn_id     bigint NOT NULL REFERENCES turns ON DELETE CASCADE,
    platform    text NOT NULL CHECK (platform <> ''),
    person      text NOT NULL,
    is_left_out boolean NOT NULL,
    passed_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (turn_id, platform, person)
);
CREATE INDEX passed_over_by_age ON passed_over (passed_at) WHERE NOT is_left_out;
CREATE INDEX turns_predicted ON turns (asked_at DESC) WHERE intent IS NOT NULL;
CREATE INDEX turns_by_wording ON turns
    (md5(lower(btrim(regexp_replace(question, '[[:space:][:punct:]]+', ' ', 'g')))));
"""

DOWNGRADE = """
DROP INDEX turns_by_wording, turns_predicted;
DROP TABLE passed_over;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
