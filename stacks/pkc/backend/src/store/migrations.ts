/** The database's shape, step by step. A step that was released is never changed: a new one is added. */

export const migrations: readonly string[] = [
  `
  CREATE TABLE cards (
    hash text PRIMARY KEY CHECK (hash ~ '^[0-9a-f]{64}$'),
    size bigint NOT NULL,
    content_type text NOT NULL,
    -- NULL: a file of the documents volume, by its hash.
    content bytea,
    filename text,
    metadata jsonb NOT NULL DEFAULT '{}',
    -- What can be searched of it.
    body text NOT NULL DEFAULT '',
    first_seen timestamptz NOT NULL DEFAULT clock_timestamp()
  );
  ALTER TABLE cards ALTER COLUMN content SET STORAGE EXTERNAL;

  CREATE TABLE documents (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    type text NOT NULL CHECK (type IN ('note', 'file')),
    title text NOT NULL,
    normal_title text NOT NULL,
    hash text NOT NULL REFERENCES cards,
    path text,
    versions int NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    deleted_at timestamptz,
    words tsvector NOT NULL DEFAULT ''
  );
  CREATE INDEX documents_words ON documents USING gin (words) WITH (fastupdate = off);
  CREATE INDEX documents_updated ON documents (updated_at DESC, id) WHERE deleted_at IS NULL;
  CREATE INDEX documents_titles ON documents (normal_title text_pattern_ops) WHERE deleted_at IS NULL;
  CREATE INDEX documents_hash ON documents (hash text_pattern_ops);
  CREATE INDEX documents_path ON documents (path) WHERE path IS NOT NULL;
  CREATE INDEX documents_deleted ON documents (deleted_at DESC) WHERE deleted_at IS NOT NULL;

  CREATE TABLE versions (
    document_id uuid NOT NULL REFERENCES documents ON DELETE CASCADE,
    number int NOT NULL,
    hash text NOT NULL REFERENCES cards,
    title text NOT NULL,
    cause text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (document_id, number)
  );
  CREATE INDEX versions_hash ON versions (hash);

  CREATE TABLE links (
    document_id uuid NOT NULL REFERENCES documents ON DELETE CASCADE,
    kind text NOT NULL,
    target text NOT NULL,
    PRIMARY KEY (document_id, kind, target)
  );
  CREATE INDEX links_target ON links (target, kind);

  CREATE TABLE passages (
    hash text NOT NULL REFERENCES cards ON DELETE CASCADE,
    model text NOT NULL,
    number int NOT NULL,
    section text NOT NULL,
    content text NOT NULL,
    -- One byte a dimension, scaled to length 127.
    vector bytea NOT NULL,
    PRIMARY KEY (model, hash, number)
  );

  CREATE TABLE audit (
    id bigserial PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    action text NOT NULL,
    document_id uuid,
    title text,
    hash text,
    detail text
  );
  `,
];
