-- name: waiting
-- From each endpoint that has anything pending the index leads to the next one, whatever lies between.
WITH RECURSIVE pending (endpoint_id) AS (
    SELECT '00000000-0000-0000-0000-000000000000'::uuid
    UNION ALL
    SELECT (
        SELECT d.endpoint_id
        FROM certpipe.deliveries d
        WHERE d.endpoint_id > p.endpoint_id AND d.due_at IS NOT NULL
        ORDER BY d.endpoint_id
        LIMIT 1
    )
    FROM pending p
    WHERE p.endpoint_id IS NOT NULL
)
SELECT p.endpoint_id AS id
FROM pending p
CROSS JOIN LATERAL (SELECT FROM certpipe.deliveries d WHERE d.endpoint_id = p.endpoint_id AND d.due_at <= $1 LIMIT 1) AS due
CROSS JOIN LATERAL (
    SELECT
    FROM certpipe.endpoints e
    WHERE e.id = p.endpoint_id AND e.removed_at IS NULL AND e.disabled_at IS NULL
      AND (e.paused_until IS NULL OR e.paused_until <= $1)
    LIMIT 1
) AS ready

-- name: next_due
-- Of a paused endpoint nothing is due before its pause is over.
WITH RECURSIVE pending (endpoint_id, due_at) AS (
    SELECT '00000000-0000-0000-0000-000000000000'::uuid, NULL::timestamptz
    UNION ALL
    SELECT n.endpoint_id, n.due_at
    FROM pending p
    CROSS JOIN LATERAL (
        SELECT d.endpoint_id, d.due_at
        FROM certpipe.deliveries d
        WHERE d.endpoint_id > p.endpoint_id AND d.due_at IS NOT NULL
        ORDER BY d.endpoint_id, d.due_at
        LIMIT 1
    ) AS n
)
SELECT min(greatest(p.due_at, e.paused_until)) AS next_due
FROM pending p
CROSS JOIN LATERAL (
    SELECT n.paused_until
    FROM certpipe.endpoints n
    WHERE n.id = p.endpoint_id AND n.removed_at IS NULL AND n.disabled_at IS NULL
    LIMIT 1
) AS e

-- name: targets
SELECT id, version, updated_at, url, keys_kid, keys_sealed, headers_kid, headers_sealed, previous_kid, previous_sealed,
    previous_until, failures, failing_since, paused_until
FROM certpipe.endpoints
WHERE id = ANY ($1::uuid[]) AND removed_at IS NULL AND disabled_at IS NULL

-- name: settle
-- Guarded by the attempt: who settles after its lease was lost changes nothing. The rows are locked in one order, so that
-- two batches never wait for each other in a circle. How an endpoint stood before its owner changed it is no news.
WITH held AS MATERIALIZED (
    SELECT d.endpoint_id, d.position, r.state, r.due_at, r.entry
    FROM unnest($1::uuid[], $2::bigint[], $3::integer[], $4::text[], $5::timestamptz[], $6::jsonb[])
        AS r (endpoint_id, position, attempt, state, due_at, entry)
    JOIN certpipe.deliveries d ON d.endpoint_id = r.endpoint_id AND d.position = r.position
    WHERE d.attempt = r.attempt
    ORDER BY d.endpoint_id, d.position
    FOR NO KEY UPDATE OF d
), settled AS (
    UPDATE certpipe.deliveries d
    SET state = h.state,
        due_at = CASE WHEN h.state = 'pending' THEN coalesce(h.due_at, $13::timestamptz) END,
        leased_until = NULL,
        attempt = d.attempt + 1,
        step = d.step + 1,
        log = CASE WHEN jsonb_array_length(d.log) < 30 THEN d.log ELSE d.log - 0 END || h.entry
    FROM held h
    WHERE d.endpoint_id = h.endpoint_id AND d.position = h.position
    RETURNING d.position
), healths AS MATERIALIZED (
    SELECT e.id, r.failures, r.failing_since, r.paused_until, r.disable
    FROM unnest($7::uuid[], $8::timestamptz[], $9::integer[], $10::timestamptz[], $11::timestamptz[], $12::text[])
        AS r (id, changed_at, failures, failing_since, paused_until, disable)
    JOIN certpipe.endpoints e ON e.id = r.id AND e.updated_at = r.changed_at
    WHERE e.removed_at IS NULL AND e.disabled_at IS NULL
      AND (r.disable IS NOT NULL OR (e.failures, e.failing_since, e.paused_until)
        IS DISTINCT FROM (r.failures, r.failing_since, r.paused_until))
    ORDER BY e.id
    FOR NO KEY UPDATE OF e
), judged AS (
    UPDATE certpipe.endpoints e
    SET failures = h.failures,
        failing_since = h.failing_since,
        paused_until = h.paused_until,
        disabled_at = CASE WHEN h.disable IS NOT NULL THEN $13::timestamptz END,
        disabled_because = h.disable,
        version = e.version + 1
    FROM healths h
    WHERE e.id = h.id
    RETURNING e.id, e.organization_id, e.version, e.disabled_because
), told AS (
    INSERT INTO certpipe.events (subject_id, sequence, organization_id, type, at, code)
    SELECT id, version, organization_id, 'endpoint.disabled', $13::timestamptz, disabled_because
    FROM judged
    WHERE disabled_because IS NOT NULL
    RETURNING subject_id
)
SELECT (SELECT count(*) FROM settled) AS settled, (SELECT count(*) FROM told) AS told

-- name: some_endpoints
SELECT id FROM certpipe.endpoints WHERE id > $1 ORDER BY id LIMIT $2

-- name: tidy_log
-- One slice. By places, which are in the order of time but for what was replayed: where the oldest of an endpoint is not
-- old yet, nothing of it is looked at. What is still being tried stays.
WITH old AS MATERIALIZED (
    SELECT d.endpoint_id, d.position
    FROM unnest($1::uuid[]) AS r (id)
    JOIN certpipe.endpoints e ON e.id = r.id
    CROSS JOIN LATERAL (
        SELECT o.created_at
        FROM certpipe.deliveries o
        WHERE o.endpoint_id = e.id
        ORDER BY o.position
        LIMIT 1
    ) AS oldest
    CROSS JOIN LATERAL (
        SELECT l.endpoint_id, l.position, l.created_at, l.state
        FROM certpipe.deliveries l
        WHERE l.endpoint_id = e.id AND (e.removed_at IS NOT NULL OR oldest.created_at < $2)
        ORDER BY l.position
        LIMIT $3
        FOR UPDATE SKIP LOCKED
    ) AS d
    WHERE e.removed_at IS NOT NULL OR (d.created_at < $2 AND (d.state <> 'pending' OR e.disabled_at IS NOT NULL))
    LIMIT $3
), gone AS (
    DELETE FROM certpipe.deliveries d
    USING old o
    WHERE d.endpoint_id = o.endpoint_id AND d.position = o.position
    RETURNING d.position
)
SELECT count(*) AS gone FROM gone

-- name: tidy_endpoints
-- A moment after their removal, when nobody can be writing deliveries to them any more.
DELETE FROM certpipe.endpoints e
WHERE e.id = ANY ($1::uuid[]) AND e.removed_at < $2
  AND NOT EXISTS (SELECT FROM certpipe.deliveries d WHERE d.endpoint_id = e.id)

-- name: tidy_tickets
WITH old AS MATERIALIZED (
    SELECT digest FROM certpipe.tickets WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM certpipe.tickets t USING old o WHERE t.digest = o.digest RETURNING t.digest
)
SELECT count(*) AS gone FROM gone
