"""Documents, their chunks, and the pieces of chunks that carry the vectors."""

from alembic import op

revision = "0001"
down_revision = None

UPGRADE = """
CREATE EXTENSION IF NOT EXISTS vector;

CREATE TABLE encoders (
    id          smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fingerprint text     NOT NULL UNIQUE CHECK (fingerprint ~ '^[0-9a-f]{64}$'),
    name        text     NOT NULL,
    dimension   smallint NOT NULL CHECK (dimension BETWEEN 1 AND 4000),
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE audiences (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    principals text[]  NOT NULL UNIQUE CHECK (cardinality(principals) > 0)
);

CREATE TABLE documents (
    id           integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source       text    NOT NULL CHECK (source <> ''),
    uri          text    NOT NULL CHECK (uri <> ''),
    url          text    NOT NULL,
    title        text    NOT NULL CHECK (title <> ''),
    version_tag  text,
    content_hash bytea   NOT NULL CHECK (octet_length(content_hash) = 32),
    audience_id  integer NOT NULL REFERENCES audiences,
    encoder_id   smallint NOT NULL REFERENCES encoders,
    indexed_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (source, uri)
);

CREATE TABLE chunks (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    document_id integer NOT NULL REFERENCES documents ON DELETE CASCADE,
    ordinal     integer NOT NULL CHECK (ordinal >= 0),
    audience_id integer NOT NULL REFERENCES audiences,
    headings    text[]  NOT NULL,
    context     text    NOT NULL,
    text        text    NOT NULL CHECK (text <> ''),
    UNIQUE (document_id, ordinal)
);
COMMENT ON COLUMN chunks.context IS
    'title and heading path, searched and embedded together with the text';

CREATE TABLE pieces (
    chunk_id    integer  NOT NULL REFERENCES chunks ON DELETE CASCADE,
    ordinal     smallint NOT NULL CHECK (ordinal >= 0),
    encoder_id  smallint NOT NULL REFERENCES encoders,
    audience_id integer  NOT NULL REFERENCES audiences,
    hash        bytea    NOT NULL CHECK (octet_length(hash) = 16),
    bounds      integer[] NOT NULL,
    kinds       text     NOT NULL CHECK (kinds ~ '^[sict]+$'),
    embedding   halfvec  NOT NULL CHECK (l2_norm(embedding) BETWEEN 0.99 AND 1.01),
    PRIMARY KEY (chunk_id, ordinal),
    CHECK (cardinality(bounds) = 2 * length(kinds))
);
COMMENT ON COLUMN pieces.bounds IS
    'start and end of each quotable unit in chunks.text; kinds has one letter a unit';

CREATE INDEX pieces_of_an_encoder ON pieces (encoder_id, audience_id);
ALTER TABLE pieces SET (autovacuum_vacuum_scale_factor = 0.05);
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute("DROP TABLE pieces, chunks, documents, audiences, encoders")
