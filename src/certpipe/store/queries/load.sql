-- name: defects
-- Of the tries that the stage has had those that ended by a defect: each try has one event of its own.
    CASE WHEN u.attempt > 0 THEN (
        SELECT count(*)::integer
        FROM (
            SELECT e.code
            FROM certpipe.events e
            WHERE e.subject_id = u.id AND e.type = 'upload.retried'
            ORDER BY e.sequence DESC
            LIMIT u.attempt
        ) AS tries
        WHERE code = 'internal'
    ) ELSE 0 END AS defects

-- name: received
SELECT u.id, u.epoch, u.attempt, u.organization_id, u.kind::text AS kind, u.rfc, p.format, p.kid, p.ciphertext,
-- with: defects
FROM unnest($1::uuid[], $2::integer[]) AS r (id, epoch)
JOIN certpipe.uploads u ON u.id = r.id AND u.epoch = r.epoch
JOIN certpipe.sealed_payloads p ON p.upload_id = u.id
WHERE u.state = 'received'

-- name: validated
SELECT u.id, u.epoch, u.attempt, u.organization_id, u.facts, u.warnings, p.format, p.kid, p.ciphertext,
-- with: defects
FROM unnest($1::uuid[], $2::integer[]) AS r (id, epoch)
JOIN certpipe.uploads u ON u.id = r.id AND u.epoch = r.epoch
JOIN certpipe.sealed_payloads p ON p.upload_id = u.id
WHERE u.state = 'validated' AND NOT u.is_check

-- name: encrypted
SELECT u.id, u.epoch, u.attempt, u.organization_id, u.certificate_id, u.facts,
    p.part, p.version, p.ciphertext, p.nonce, p.commitment, p.wrapped_key, p.key_id, p.key_version,
-- with: defects
FROM unnest($1::uuid[], $2::integer[]) AS r (id, epoch)
JOIN certpipe.uploads u ON u.id = r.id AND u.epoch = r.epoch
JOIN certpipe.parts p ON p.certificate_id = u.certificate_id
WHERE u.state = 'encrypted'
ORDER BY u.id, p.part

-- name: stored
-- Records the intents before anything is sent, and ends what a newer certificate has replaced. An intent that could not
-- be inserted (xmax tells) was there before, even when a concurrent load recorded it after this statement began.
-- While an older upload of the party is being sent, a newer one waits: the older, arriving last, would count there. An
-- attempt begins with its intent, ends with a change of its row, and takes no two minutes. A removal does not stop an
-- attempt: what counts then is the last change before the removal's own two.
WITH held AS MATERIALIZED (
    SELECT u.id, u.kind, u.certificate_id,
        EXISTS (
            SELECT FROM certpipe.certificates c WHERE c.id = u.certificate_id AND c.replaced_at IS NULL
        ) AS active,
        EXISTS (
            SELECT
            FROM certpipe.uploads o
            JOIN certpipe.handoffs f ON f.upload_id = o.id
            WHERE o.party_id = u.party_id AND o.kind = u.kind AND o.due_at IS NOT NULL AND o.certificate_id IS NOT NULL
              AND o.state = 'stored' AND o.accepted_order < u.accepted_order
              AND f.received_at IS NULL AND f.intended_at >= o.updated_at AND f.intended_at > now() - interval '2 minutes'
        ) OR EXISTS (
            SELECT
            FROM certpipe.certificates c
            JOIN certpipe.uploads o ON o.id = c.upload_id
            JOIN certpipe.events e ON e.subject_id = o.id AND e.sequence = o.epoch - 2
            JOIN certpipe.handoffs f ON f.upload_id = o.id
            WHERE c.party_id = u.party_id AND c.kind = u.kind AND c.removed_at > now() - interval '2 minutes'
              AND o.state = 'superseded' AND o.accepted_order < u.accepted_order
              AND f.received_at IS NULL AND f.intended_at >= e.at AND f.intended_at > now() - interval '2 minutes'
        ) AS behind
    FROM unnest($1::uuid[], $2::integer[]) AS r (id, epoch)
    JOIN certpipe.uploads u ON u.id = r.id AND u.epoch = r.epoch
    WHERE u.state = 'stored'
    ORDER BY u.id
    FOR NO KEY UPDATE OF u
), superseded AS (
    UPDATE certpipe.uploads u
    SET state = 'superseded', epoch = u.epoch + 1, dispatched_at = NULL, due_at = NULL, updated_at = now()
    FROM held h
    WHERE u.id = h.id AND NOT h.active
    RETURNING u.id, u.epoch, u.organization_id, u.attempt
), told AS (
    INSERT INTO certpipe.events (subject_id, sequence, organization_id, type, stage, attempt)
    SELECT id, epoch, organization_id, 'upload.superseded', 'forward', nullif(attempt, 0) FROM superseded
), waiting AS (
    -- Dispatched already, so that the coming note of its dispatch does not put it off.
    UPDATE certpipe.uploads u
    SET dispatched_at = now(), due_at = now() + interval '1 second'
    FROM held h
    WHERE u.id = h.id AND h.active AND h.behind
), wanted AS MATERIALIZED (
    SELECT h.id, d.destination
    FROM held h
    JOIN unnest($3::text[], $4::text[]) AS d (kind, destination) ON d.kind = h.kind::text
    WHERE h.active AND NOT h.behind
), intended AS (
    INSERT INTO certpipe.handoffs AS f (upload_id, destination)
    SELECT id, destination FROM wanted
    ON CONFLICT (upload_id, destination) DO UPDATE SET intended_at = now()
    RETURNING upload_id, destination, xmax <> 0 AND received_at IS NULL AS open
), before AS MATERIALIZED (
    SELECT upload_id AS id, array_agg(destination) AS destinations FROM intended WHERE open GROUP BY upload_id
)
SELECT u.id, u.epoch, u.attempt, u.organization_id, u.certificate_id, u.facts, b.destinations AS open_intents,
    p.part, p.version, p.ciphertext, p.nonce, p.commitment, p.wrapped_key, p.key_id, p.key_version,
-- with: defects
FROM held h
JOIN certpipe.uploads u ON u.id = h.id
JOIN certpipe.parts p ON p.certificate_id = h.certificate_id
LEFT JOIN before b ON b.id = h.id
WHERE h.active AND NOT h.behind
ORDER BY u.id, p.part
