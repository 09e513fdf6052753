"""A version's second picture, its weights for export, and whose refusal was overruled."""

from alembic import op

revision = "0012"
down_revision = "0011"

UPGRADE = """
ALTER TABLE classifier_files
    DROP CONSTRAINT classifier_files_name_check,
    ADD CONSTRAINT classifier_files_name_check
        CHECK (name ~ '^[a-z_]+[.](onnx|json|jsonl|npz|safetensors)$');
ALTER TABLE classifier_versions
    ADD COLUMN panels    bytea REFERENCES artefacts,
    ADD COLUMN overruled text CHECK (overruled <> '');
"""

DOWNGRADE = """
ALTER TABLE classifier_versions DROP COLUMN panels, DROP COLUMN overruled;
DELETE FROM classifier_files WHERE name ~ '[.]safetensors$';
ALTER TABLE classifier_files
    DROP CONSTRAINT classifier_files_name_check,
    ADD CONSTRAINT classifier_files_name_check CHECK (name ~ '^[a-z_]+[.](onnx|json|jsonl|npz)$');
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
