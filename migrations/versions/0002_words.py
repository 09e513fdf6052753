"""The inverted index for BM25: every chunk's words, kept in step by triggers on `chunks`."""

from alembic import op

revision = "0002"
down_revision = "0001"

UPGRADE = r"""
CREATE TABLE corpus (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    language    text    NOT NULL DEFAULT 'english',
    chunk_count bigint  NOT NULL DEFAULT 0 CHECK (chunk_count >= 0),
    word_count  bigint  NOT NULL DEFAULT 0 CHECK (word_count >= 0)
);
INSERT INTO corpus DEFAULT VALUES;

CREATE TABLE terms (
    id                 integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lexeme             text    NOT NULL UNIQUE,
    document_frequency integer NOT NULL CHECK (document_frequency >= 0)
) WITH (fillfactor = 70);
COMMENT ON COLUMN terms.document_frequency IS 'in how many chunks the lexeme occurs';

CREATE TABLE postings (
    term_id     integer  NOT NULL,
    chunk_id    integer  NOT NULL,
    audience_id integer  NOT NULL,
    frequency   smallint NOT NULL CHECK (frequency > 0),
    length      smallint NOT NULL CHECK (length > 0),
    PRIMARY KEY (term_id, chunk_id) INCLUDE (audience_id, frequency, length)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05);
COMMENT ON TABLE postings IS
    'written by the triggers on chunks alone, which is why it can do without foreign keys';

CREATE FUNCTION words_of(language text, context text, body text)
RETURNS TABLE (lexeme text, frequency integer)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT w.lexeme, cardinality(w.positions)
    FROM unnest(to_tsvector(
        language::regconfig,
        context || E'\n' || regexp_replace(body, '\]\([^)\s]*\)', ']', 'g')
    )) AS w;
END;

CREATE FUNCTION index_chunks(chunk_ids integer[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    chosen_language text;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('supportbot words'));
    SELECT language INTO chosen_language FROM corpus;

    WITH words AS MATERIALIZED (
        SELECT w.lexeme, c.id AS chunk_id, c.audience_id, w.frequency,
               sum(w.frequency) OVER (PARTITION BY c.id) AS length
        FROM chunks AS c, words_of(chosen_language, c.context, c.text) AS w
        WHERE c.id = ANY (chunk_ids)
    ), counted AS (
        -- In lexeme order, so that two documents indexed at once never wait in a circle.
        INSERT INTO terms AS t (lexeme, document_frequency)
        SELECT lexeme, count(*) FROM words GROUP BY lexeme ORDER BY lexeme
        ON CONFLICT (lexeme)
        DO UPDATE SET document_frequency = t.document_frequency + excluded.document_frequency
        RETURNING t.id, t.lexeme
    ), posted AS (
        INSERT INTO postings (term_id, chunk_id, audience_id, frequency, length)
        SELECT c.id, w.chunk_id, w.audience_id, w.frequency, least(w.length, 32767)
        FROM words AS w JOIN counted AS c USING (lexeme)
        ORDER BY 1, 2
    )
    UPDATE corpus SET
        chunk_count = chunk_count + cardinality(chunk_ids),
        word_count = word_count + (SELECT coalesce(sum(frequency), 0) FROM words);
END $$;

CREATE FUNCTION index_new_chunks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM index_chunks(ids) FROM (SELECT array_agg(id) AS ids FROM new_chunks) AS n
    WHERE ids IS NOT NULL;
    RETURN NULL;
END $$;

CREATE FUNCTION unindex_old_chunks() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    chosen_language text;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('supportbot words'));
    SELECT language INTO chosen_language FROM corpus;

    WITH words AS MATERIALIZED (
        SELECT w.lexeme, c.id AS chunk_id, w.frequency
        FROM old_chunks AS c, words_of(chosen_language, c.context, c.text) AS w
    ), counted AS (
        SELECT lexeme, count(*) AS chunks FROM words GROUP BY lexeme
    ), locked AS (
        SELECT t.id, t.lexeme FROM terms AS t WHERE t.lexeme IN (SELECT lexeme FROM counted)
        ORDER BY t.lexeme FOR UPDATE
    ), lowered AS (
        UPDATE terms AS t SET document_frequency = t.document_frequency - c.chunks
        FROM locked AS l JOIN counted AS c USING (lexeme) WHERE t.id = l.id
    ), removed AS (
        DELETE FROM postings AS p USING words AS w JOIN locked AS l USING (lexeme)
        WHERE p.term_id = l.id AND p.chunk_id = w.chunk_id
    )
    UPDATE corpus SET
        chunk_count = chunk_count - (SELECT count(*) FROM old_chunks),
        word_count = word_count - (SELECT coalesce(sum(frequency), 0) FROM words);
    RETURN NULL;
END $$;

CREATE FUNCTION refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are replaced, never changed', TG_TABLE_NAME;
END $$;

CREATE FUNCTION change_language(new_language text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('supportbot words'));
    PERFORM new_language::regconfig;
    DELETE FROM postings;
    DELETE FROM terms;
    UPDATE corpus SET language = new_language, chunk_count = 0, word_count = 0;
    PERFORM index_chunks(ids) FROM (
        SELECT array_agg(id ORDER BY id) AS ids FROM chunks GROUP BY id / 1000
    ) AS batch;
END $$;

CREATE TRIGGER words_in AFTER INSERT ON chunks REFERENCING NEW TABLE AS new_chunks
    FOR EACH STATEMENT EXECUTE FUNCTION index_new_chunks();
CREATE TRIGGER words_out AFTER DELETE ON chunks REFERENCING OLD TABLE AS old_chunks
    FOR EACH STATEMENT EXECUTE FUNCTION unindex_old_chunks();
CREATE TRIGGER words_stay BEFORE UPDATE OR TRUNCATE ON chunks
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_update();
"""

DOWNGRADE = """
DROP TRIGGER words_in ON chunks;
DROP TRIGGER words_out ON chunks;
DROP TRIGGER words_stay ON chunks;
DROP FUNCTION change_language, refuse_update, unindex_old_chunks, index_new_chunks,
    index_chunks, words_of;
DROP TABLE postings, terms, corpus;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
