-- name: entry
SELECT d.position, d.state, d.due_at, d.created_at, d.log, e.subject_id, e.sequence, e.type,
    CASE WHEN e.type NOT LIKE 'endpoint.%' THEN e.subject_id END AS upload_id
FROM certpipe.deliveries d
JOIN certpipe.events e ON e.position = d.position AND e.position > 0

-- name: every
-- with: entry
WHERE d.endpoint_id = $1 AND d.position < $2
ORDER BY d.position DESC
LIMIT $3

-- name: pending
-- By the index of what is pending, and not by that of all, most of which is over.
WITH page AS MATERIALIZED (
    SELECT position
    FROM (
        SELECT p.position
        FROM certpipe.deliveries p
        WHERE p.endpoint_id = $1 AND p.due_at > '-infinity' AND p.position < $2
        OFFSET 0
    ) AS pending
    ORDER BY position DESC
    LIMIT $3
)
-- with: entry
JOIN page ON page.position = d.position
WHERE d.endpoint_id = $1
ORDER BY d.position DESC

-- name: delivered
-- with: entry
WHERE d.endpoint_id = $1 AND d.position < $2 AND d.state = 'delivered'
ORDER BY d.position DESC
LIMIT $3

-- name: failed
-- with: entry
WHERE d.endpoint_id = $1 AND d.position < $2 AND d.state = 'failed'
ORDER BY d.position DESC
LIMIT $3

-- name: of_event
SELECT d.position, d.state, d.due_at, d.created_at, d.log, e.subject_id, e.sequence, e.type,
    CASE WHEN e.type NOT LIKE 'endpoint.%' THEN e.subject_id END AS upload_id
FROM certpipe.events e
JOIN certpipe.deliveries d ON d.position = e.position AND d.endpoint_id = $1
WHERE e.subject_id = $2 AND e.sequence = $3 AND d.position < $4 AND ($5::text IS NULL OR d.state = $5)

-- name: replay
-- One that is being sent just now is left alone.
UPDATE certpipe.deliveries d
SET state = 'pending', due_at = $3, leased_until = NULL, step = 0
WHERE d.endpoint_id = $1 AND d.position = $2
  AND NOT coalesce(d.state = 'pending' AND d.leased_until > $3, false)

-- name: one
-- with: entry
WHERE d.endpoint_id = $1 AND d.position = $2

-- name: replay_failed
WITH slice AS MATERIALIZED (
    SELECT d.position
    FROM certpipe.deliveries d
    WHERE d.endpoint_id = $1 AND d.position > $2 AND d.state = 'failed'
    ORDER BY d.position
    LIMIT $3
    FOR NO KEY UPDATE
), again AS (
    UPDATE certpipe.deliveries d
    SET state = 'pending', due_at = $4, leased_until = NULL, step = 0
    FROM slice s
    WHERE d.endpoint_id = $1 AND d.position = s.position
    RETURNING d.position
)
SELECT (SELECT count(*) FROM again) AS replayed,
    CASE WHEN count(*) = $3 THEN max(s.position) END AS next
FROM slice s

-- name: replay_range
-- By time, and those of one time by place, on from where the slice before ended. What matches is written as if it had just
-- happened, whatever became of it; what is being sent just now is left alone.
WITH endpoint AS MATERIALIZED (
    SELECT id, organization_id, types FROM certpipe.endpoints WHERE id = $1 AND removed_at IS NULL
), slice AS MATERIALIZED (
    SELECT e.position, e.at, e.type, e.subject_id
    FROM endpoint p
    LEFT JOIN certpipe.events b ON b.position = $4 AND b.position > 0 AND b.organization_id = p.organization_id
    CROSS JOIN LATERAL (
        SELECT n.position, n.at, n.type, n.subject_id
        FROM certpipe.events n
        WHERE n.organization_id = p.organization_id AND n.position > 0 AND n.at < $3
          AND n.at >= greatest(b.at, $2) AND (b.at IS NULL OR n.at > b.at OR n.position > $4)
        ORDER BY n.at, n.position
        LIMIT $5
    ) AS e
), again AS (
    INSERT INTO certpipe.deliveries AS d (endpoint_id, position, due_at, created_at)
    SELECT p.id, s.position, $6, $6
    FROM endpoint p
    CROSS JOIN slice s
    WHERE CASE WHEN s.type = 'endpoint.ping' THEN s.subject_id = p.id ELSE p.types IS NULL OR s.type = ANY (p.types) END
    ORDER BY s.position
    ON CONFLICT (endpoint_id, position) DO UPDATE
    SET state = 'pending', due_at = excluded.due_at, leased_until = NULL, step = 0
    WHERE NOT coalesce(d.state = 'pending' AND d.leased_until > excluded.due_at, false)
    RETURNING d.position
)
SELECT (SELECT count(*) FROM again) AS replayed,
    (SELECT CASE WHEN s.place = $5 THEN s.position END
     FROM (SELECT position, at, row_number() OVER (ORDER BY at, position) AS place FROM slice) AS s
     ORDER BY s.at DESC, s.position DESC LIMIT 1) AS next
