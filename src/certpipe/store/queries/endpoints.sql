-- name: columns
    p.id, p.organization_id, p.url, p.types, p.description, p.header_names, p.public_key, p.failures, p.failing_since,
    p.paused_until, p.disabled_at, p.disabled_because, p.previous_until, p.created_at, p.updated_at

-- name: lock_organization
-- First, so that those who make endpoints of one organization at once, or give them other addresses, see each other's.
SELECT id FROM certpipe.organizations WHERE id = $1 FOR NO KEY UPDATE

-- name: lock_its_organization
SELECT o.id
FROM certpipe.endpoints p
JOIN certpipe.organizations o ON o.id = p.organization_id
WHERE p.id = $1
FOR NO KEY UPDATE OF o

-- name: at_address
SELECT
-- with: columns
FROM certpipe.endpoints p
WHERE p.organization_id = $1 AND p.url = $2 AND p.id <> $3 AND p.removed_at IS NULL
ORDER BY p.id
LIMIT 1

-- name: make
-- No row comes back when there are so many already.
INSERT INTO certpipe.endpoints AS p (
    id, organization_id, url, types, description, header_names, headers_kid, headers_sealed, public_key, keys_kid,
    keys_sealed, created_at, updated_at
)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12
WHERE (SELECT count(*) FROM certpipe.endpoints o WHERE o.organization_id = $2 AND o.removed_at IS NULL) < $13
RETURNING
-- with: columns

-- name: endpoints
SELECT
-- with: columns
FROM certpipe.endpoints p
WHERE p.organization_id = ANY ($1::uuid[]) AND p.removed_at IS NULL
ORDER BY p.id

-- name: get
SELECT
-- with: columns
FROM certpipe.endpoints p
WHERE p.id = $1 AND p.organization_id = ANY ($2::uuid[]) AND p.removed_at IS NULL

-- name: change
-- What is null stays, but for the types, of which null means all. How it stood at another address is forgotten, too.
UPDATE certpipe.endpoints AS p
SET url = coalesce($3, p.url),
    types = CASE WHEN $4::boolean THEN $5::text[] ELSE p.types END,
    description = coalesce($6, p.description),
    header_names = coalesce($7, p.header_names),
    headers_kid = coalesce($8, p.headers_kid),
    headers_sealed = coalesce($9, p.headers_sealed),
    disabled_at = CASE WHEN $10::boolean THEN NULL WHEN NOT $10 THEN coalesce(p.disabled_at, $2) ELSE p.disabled_at END,
    disabled_because = CASE
        WHEN $10 THEN NULL WHEN NOT $10 THEN coalesce(p.disabled_because, 'owner') ELSE p.disabled_because
    END,
    failures = CASE WHEN $10 OR $3 <> p.url THEN 0 ELSE p.failures END,
    failing_since = CASE WHEN $10 OR $3 <> p.url THEN NULL ELSE p.failing_since END,
    paused_until = CASE WHEN $10 OR $3 <> p.url THEN NULL ELSE p.paused_until END,
    version = p.version + 1,
    updated_at = $2
WHERE p.id = $1 AND p.removed_at IS NULL
RETURNING
-- with: columns

-- name: remove
UPDATE certpipe.endpoints p
SET removed_at = $2, version = p.version + 1, updated_at = $2
WHERE p.id = $1 AND p.removed_at IS NULL
RETURNING p.id

-- name: rotate
-- No row comes back while an older secret still signs. Without an overlap the one before signs nothing more.
UPDATE certpipe.endpoints AS p
SET previous_kid = CASE WHEN $6 > $2 THEN p.keys_kid END,
    previous_sealed = CASE WHEN $6 > $2 THEN p.keys_sealed END,
    previous_until = CASE WHEN $6::timestamptz > $2 THEN $6 END,
    public_key = $3,
    keys_kid = $4,
    keys_sealed = $5,
    version = p.version + 1,
    updated_at = $2::timestamptz
WHERE p.id = $1 AND p.removed_at IS NULL AND (p.previous_until IS NULL OR p.previous_until <= $2)
RETURNING
-- with: columns

-- name: is_there
SELECT FROM certpipe.endpoints WHERE id = $1 AND removed_at IS NULL

-- name: revoke
UPDATE certpipe.endpoints AS p
SET previous_kid = NULL, previous_sealed = NULL, previous_until = NULL, version = p.version + 1, updated_at = $2
WHERE p.id = $1 AND p.removed_at IS NULL
RETURNING
-- with: columns

-- name: ping
WITH next AS (
    UPDATE certpipe.endpoints SET version = version + 1 WHERE id = $1 AND removed_at IS NULL
    RETURNING id, organization_id, version
)
INSERT INTO certpipe.events (subject_id, sequence, organization_id, type, at)
SELECT id, version, organization_id, 'endpoint.ping', $2 FROM next
RETURNING subject_id, sequence
