"""A classifier version is several files, named, each stored once by its hash."""

from alembic import op

revision = "0005"
down_revision = "0004"

UPGRADE = """
CREATE TABLE classifier_files (
    version_id integer NOT NULL REFERENCES classifier_versions ON DELETE CASCADE,
    name       text    NOT NULL CHECK (name ~ '^[a-z_]+[.](onnx|json|jsonl|npz)$'),
    sha256     bytea   NOT NULL REFERENCES artefacts,
    PRIMARY KEY (version_id, name)
);
ALTER TABLE classifier_versions
    DROP COLUMN artefact,
    DROP COLUMN data_snapshot,
    ADD COLUMN encoder_id   smallint NOT NULL REFERENCES encoders,
    ADD COLUMN intents      text[]   NOT NULL CHECK (cardinality(intents) > 1),
    ADD COLUMN refusal      text     CHECK (refusal IS NULL OR state = 'refused');
"""

DOWNGRADE = """
UPDATE turns SET classifier_version_id = NULL;
DELETE FROM classifier_versions;
DROP TABLE classifier_files;
ALTER TABLE classifier_versions
    DROP COLUMN encoder_id,
    DROP COLUMN intents,
    DROP COLUMN refusal,
    ADD COLUMN artefact      bytea NOT NULL REFERENCES artefacts,
    ADD COLUMN data_snapshot text  NOT NULL;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
