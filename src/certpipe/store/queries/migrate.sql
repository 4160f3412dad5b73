-- name: lock
SELECT pg_advisory_lock($1)

-- name: is_ours
SELECT to_regclass('certpipe.schema_versions') IS NOT NULL

-- name: foreign_table
-- Any table that no extension owns. An empty schema is welcome, whatever its name.
SELECT n.nspname || '.' || c.relname
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname !~ '^pg_(toast|temp)'
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend d
      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
  )
ORDER BY 1
LIMIT 1

-- name: create_versions
CREATE SCHEMA IF NOT EXISTS certpipe;
CREATE TABLE certpipe.schema_versions (
    version integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)

-- name: applied
SELECT version, checksum FROM certpipe.schema_versions ORDER BY version

-- name: record
INSERT INTO certpipe.schema_versions (version, name, checksum) VALUES ($1, $2, $3)
