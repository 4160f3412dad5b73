-- name: event_columns
-- What an event is written from: its own row, its upload, and the certificate that it is about.
    e.subject_id, e.sequence, e.organization_id, e.type, e.at, e.stage, e.code, e.attempt AS event_attempt,
    e.destination, e.problems, coalesce(e.position, 0) AS position,
    u.id AS upload_id, u.party_id, u.kind::text AS kind, u.certificate_id AS own_certificate_id,
    coalesce(e.certificate_id, u.certificate_id) AS certificate_id,
    CASE WHEN e.certificate_id IS NULL THEN u.facts ELSE c.facts END AS facts,
    coalesce(e.sequence = u.epoch AND certpipe.ended(u.state, u.is_check), false) AS ended

-- name: its_upload
LEFT JOIN certpipe.uploads u ON u.id = e.subject_id
LEFT JOIN certpipe.certificates c ON c.id = e.certificate_id

-- name: last
SELECT max(position) AS last FROM certpipe.events WHERE position >= 1

-- name: after
SELECT f.reply_to, f.correlation_id,
-- with: event_columns
FROM certpipe.events e
-- with: its_upload
LEFT JOIN certpipe.followers f ON f.upload_id = e.subject_id
WHERE e.position > $1 AND e.position > 0
ORDER BY e.position
LIMIT $2

-- name: of_organizations
-- Each organization's next, by its index, then the first of those.
SELECT f.reply_to, f.correlation_id,
-- with: event_columns
FROM (
    SELECT each.position
    FROM unnest($1::uuid[]) AS o (id)
    CROSS JOIN LATERAL (
        SELECT n.position
        FROM certpipe.events n
        WHERE n.organization_id = o.id AND n.position > $2 AND n.position > 0
        ORDER BY n.position
        LIMIT $3
    ) AS each
    ORDER BY each.position
    LIMIT $3
) AS page
JOIN certpipe.events e ON e.position = page.position AND e.position > 0
-- with: its_upload
LEFT JOIN certpipe.followers f ON f.upload_id = e.subject_id
ORDER BY e.position

-- name: of_upload
SELECT f.reply_to, f.correlation_id,
-- with: event_columns
FROM certpipe.uploads u
JOIN certpipe.events e ON e.subject_id = u.id
LEFT JOIN certpipe.certificates c ON c.id = e.certificate_id
LEFT JOIN certpipe.followers f ON f.upload_id = u.id
WHERE u.id = $1 AND NOT u.is_check AND e.sequence > $2
ORDER BY e.sequence

-- name: lock_places
-- Held until the commit can be seen: places are committed in their order, so that a reader who has come to one place
-- never misses a smaller one. In a statement of its own, so that the next one sees what was placed before.
SELECT pg_advisory_xact_lock($1)

-- name: place
-- The oldest, those of one upload always in the order of their sequences: a transaction that began earlier may have made
-- the later step. (coalesce: they are found by their key, and not among all that have no place.) To every endpoint that wants them, a ping to its own only, whatever that wants.
WITH oldest AS MATERIALIZED (
    SELECT subject_id, sequence
    FROM certpipe.events
    WHERE position IS NULL
    ORDER BY at, sequence
    LIMIT $1
), candidates AS MATERIALIZED (
    SELECT e.subject_id, e.sequence,
        max(e.at) OVER (PARTITION BY e.subject_id ORDER BY e.sequence) AS since
    FROM (SELECT o.subject_id, max(o.sequence) AS sequence FROM oldest o GROUP BY o.subject_id) AS s
    JOIN certpipe.events e ON e.subject_id = s.subject_id AND e.sequence <= s.sequence
    WHERE coalesce(e.position, -1) < 0
), numbered AS MATERIALIZED (
    SELECT n.subject_id, n.sequence, nextval('certpipe.positions') AS place
    FROM (SELECT * FROM candidates ORDER BY since, sequence, subject_id LIMIT $1) AS n
), placed AS (
    UPDATE certpipe.events e
    SET position = n.place
    FROM numbered n
    WHERE e.subject_id = n.subject_id AND e.sequence = n.sequence
    RETURNING e.subject_id, e.organization_id, e.type, e.position
), written AS (
    INSERT INTO certpipe.deliveries (endpoint_id, position, due_at, created_at)
    SELECT p.id, d.position, $2::timestamptz, $2::timestamptz
    FROM placed d
    JOIN certpipe.endpoints p ON p.organization_id = d.organization_id AND p.removed_at IS NULL
    WHERE p.disabled_at IS NULL
      AND CASE WHEN d.type = 'endpoint.ping' THEN p.id = d.subject_id ELSE p.types IS NULL OR d.type = ANY (p.types) END
    RETURNING endpoint_id
)
SELECT (SELECT count(*) FROM placed) AS events,
    coalesce((SELECT array_agg(DISTINCT w.endpoint_id) FROM written w), '{}') AS endpoints

-- name: claim
-- Due ones of each endpoint, oldest first; what another process has just taken is passed over. A lost lease costs a second
-- delivery only, so that the commit need not wait for the disk.
WITH due AS MATERIALIZED (
    SELECT d.endpoint_id, d.position, d.due_at, p.version
    FROM unnest($1::uuid[], $2::integer[]) AS r (endpoint_id, room)
    JOIN certpipe.endpoints p ON p.id = r.endpoint_id
    CROSS JOIN LATERAL (
        SELECT l.endpoint_id, l.position, l.due_at
        FROM certpipe.deliveries l
        WHERE l.endpoint_id = p.id AND l.due_at <= $3
        ORDER BY l.due_at, l.position
        LIMIT r.room
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS d
    WHERE p.removed_at IS NULL AND p.disabled_at IS NULL AND (p.paused_until IS NULL OR p.paused_until <= $3)
), leased AS (
    UPDATE certpipe.deliveries l
    SET due_at = $4, leased_until = $4
    FROM due d
    WHERE l.endpoint_id = d.endpoint_id AND l.position = d.position
    RETURNING l.endpoint_id, l.position, l.attempt, l.step, d.due_at, d.version
)
SELECT (SELECT set_config('synchronous_commit', 'off', true)) AS relaxed,
    l.endpoint_id, l.version, l.attempt, l.step, NULL AS reply_to, NULL AS correlation_id,
-- with: event_columns
FROM leased l
JOIN certpipe.events e ON e.position = l.position AND e.position > 0
-- with: its_upload
ORDER BY l.due_at, l.position
