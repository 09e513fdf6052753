"""Learning answers: what people approved as answers, evaluations of rated answers, announcements.

What people asked stays in `turns` alone: the other tables name turns and go with them. An approved
answer that is still worded as the asker did goes with the asker's turn, too.
"""

from alembic import op

revision = "0010"
down_revision = "0009"

UPGRADE = """
CREATE TABLE approved_answers (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    question     text   NOT NULL CHECK (question <> ''),
    answer       text   NOT NULL CHECK (answer <> ''),
    audience     text[] NOT NULL CHECK (cardinality(audience) > 0),
    turn_id      bigint REFERENCES turns ON DELETE SET NULL,
    worded_in    bigint REFERENCES turns ON DELETE CASCADE,
    author       text   NOT NULL,
    author_name  text   NOT NULL CHECK (author_name <> ''),
    approved_at  timestamptz NOT NULL DEFAULT now(),
    confirmed_at timestamptz NOT NULL DEFAULT now(),
    withdrawn_at timestamptz
);
CREATE UNIQUE INDEX one_answer_of_a_turn ON approved_answers (turn_id) WHERE withdrawn_at IS NULL;
CREATE INDEX approved_answers_worded_in ON approved_answers (worded_in);

-- What is withdrawn, deleted, for fewer people or of somebody forgotten leaves the index at once,
-- whatever runs or not; a reindex puts back what may still be there.
CREATE FUNCTION unpublish_answer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM documents WHERE source = 'approved-answers' AND uri = OLD.id || '.md';
    RETURN NULL;
END $$;
CREATE TRIGGER unpublish_deleted AFTER DELETE ON approved_answers
    FOR EACH ROW EXECUTE FUNCTION unpublish_answer();
CREATE TRIGGER unpublish_withdrawn AFTER UPDATE ON approved_answers
    FOR EACH ROW WHEN (NEW.withdrawn_at IS NOT NULL OR NEW.audience <> OLD.audience
        OR NEW.author_name <> OLD.author_name)
    EXECUTE FUNCTION unpublish_answer();

CREATE TABLE evaluation_runs (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    conditions jsonb NOT NULL CHECK (jsonb_typeof(conditions) = 'object'),
    ran_at     timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE evaluation_results (
    run_id    bigint  NOT NULL REFERENCES evaluation_runs ON DELETE CASCADE,
    turn_id   bigint  NOT NULL REFERENCES turns ON DELETE CASCADE,
    is_passed boolean NOT NULL,
    finding   text    NOT NULL CHECK
        (finding IN ('cited', 'uncited', 'repeated', 'changed', 'unsure')),
    PRIMARY KEY (run_id, turn_id)
);
CREATE INDEX evaluation_results_of_a_turn ON evaluation_results (turn_id);

CREATE TABLE announcements (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key     text  NOT NULL UNIQUE CHECK (key <> ''),
    kind    text  NOT NULL CHECK (kind IN ('gaps', 'cases')),
    content jsonb NOT NULL CHECK (jsonb_typeof(content) = 'object'),
    made_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE announcement_posts (
    announcement_id bigint   NOT NULL REFERENCES announcements ON DELETE CASCADE,
    platform        text     NOT NULL CHECK (platform <> ''),
    workspace       text     NOT NULL,
    message         text,
    tries           smallint NOT NULL DEFAULT 0 CHECK (tries >= 0),
    tried_at        timestamptz,
    PRIMARY KEY (announcement_id, platform, workspace)
);
"""

DOWNGRADE = """
DELETE FROM documents WHERE source = 'approved-answers';
DROP TABLE announcement_posts, announcements, evaluation_results, evaluation_runs, approved_answers;
DROP FUNCTION unpublish_answer();
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
