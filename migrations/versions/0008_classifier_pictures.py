"""What a classifier version's training showed, who made it live, and who took it back."""

from alembic import op

revision = "0008"
down_revision = "0007"

UPGRADE = """
ALTER TABLE classifier_versions
    ADD COLUMN data           bytea,
    ADD COLUMN picture        bytea REFERENCES artefacts,
    ADD COLUMN promoted_by    text CHECK (promoted_by <> ''),
    ADD COLUMN is_rollback    boolean NOT NULL DEFAULT false,
    ADD COLUMN replaced_id    integer REFERENCES classifier_versions,
    ADD COLUMN rolled_back_at timestamptz,
    ADD COLUMN rolled_back_by text CHECK (rolled_back_by <> ''),
    ADD CHECK (is_rollback <= (promoted_by IS NOT NULL)),
    ADD CHECK ((rolled_back_at IS NULL) = (rolled_back_by IS NULL)),
    ADD CHECK (rolled_back_at IS NULL OR state = 'retired');
UPDATE classifier_versions AS version SET data = file.sha256
    FROM classifier_files AS file
    WHERE file.version_id = version.id AND file.name = 'dataset.jsonl';
UPDATE classifier_versions SET promoted_by = 'retraining', replaced_id = parent_id
    WHERE promoted_at IS NOT NULL;
CREATE INDEX classifier_versions_by_data ON classifier_versions (data);
"""

DOWNGRADE = """
ALTER TABLE classifier_versions
    DROP COLUMN data,
    DROP COLUMN picture,
    DROP COLUMN promoted_by,
    DROP COLUMN is_rollback,
    DROP COLUMN replaced_id,
    DROP COLUMN rolled_back_at,
    DROP COLUMN rolled_back_by;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
