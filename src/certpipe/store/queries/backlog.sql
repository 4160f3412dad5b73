-- name: due
-- A lease: whoever takes a row has it for ten seconds. It counts as not dispatched again, so that the coming note of
-- its dispatch is taken.
-- Where more is due than is asked for, every organization with something due for a stage gets the same share of it,
-- oldest first, and what is left over goes to the oldest of all. Of a stage that $2 uploads wait for in the broker
-- already nothing is taken then: what is published last is served last, and a share is worth nothing behind a long queue.
-- In the broker is what was leased, or handed on past the sweeper, just now, and what was noted within the last minute.
WITH RECURSIVE crowd AS MATERIALIZED (
    SELECT count(*) > $1::integer AS waits
    FROM (SELECT FROM certpipe.uploads WHERE due_at <= now() ORDER BY due_at LIMIT $1::integer + 1) AS first
), sent AS (
    SELECT u.state FROM certpipe.uploads u
    WHERE u.due_at > now() AND u.due_at <= now() + interval '10 seconds' AND (SELECT waits FROM crowd)
    UNION ALL
    SELECT u.state FROM certpipe.uploads u
    WHERE u.due_at > now() + interval '14 minutes' AND u.due_at <= now() + interval '15 minutes'
      AND (SELECT waits FROM crowd)
), served AS MATERIALIZED (
    SELECT state FROM sent GROUP BY state HAVING count(*) >= $2::integer
), pairs AS (
    (
        SELECT u.organization_id, u.state FROM certpipe.uploads u
        WHERE u.due_at IS NOT NULL AND (SELECT waits FROM crowd)
        ORDER BY u.organization_id, u.state LIMIT 1
    )
    UNION ALL
    SELECT following.organization_id, following.state
    FROM pairs p
    CROSS JOIN LATERAL (
        SELECT u.organization_id, u.state FROM certpipe.uploads u
        WHERE u.due_at IS NOT NULL AND (u.organization_id, u.state) > (p.organization_id, p.state)
        ORDER BY u.organization_id, u.state LIMIT 1
    ) AS following
), waiting AS MATERIALIZED (
    SELECT p.organization_id, p.state
    FROM pairs p
    WHERE p.state NOT IN (SELECT s.state FROM served s)
      AND EXISTS (
          SELECT FROM certpipe.uploads u
          WHERE u.organization_id = p.organization_id AND u.state = p.state AND u.due_at <= now()
      )
), fair AS MATERIALIZED (
    SELECT own.id
    FROM waiting w
    CROSS JOIN LATERAL (
        SELECT u.id FROM certpipe.uploads u
        WHERE u.organization_id = w.organization_id AND u.state = w.state AND u.due_at <= now()
        ORDER BY u.due_at
        LIMIT (SELECT greatest($1::integer / greatest(count(*), 1), 1) FROM waiting)
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS own
    ORDER BY random() LIMIT $1::integer  -- matters only where there are more of them than there are shares
), oldest AS MATERIALIZED (
    SELECT u.id FROM certpipe.uploads u
    WHERE u.due_at <= now()
      AND u.state NOT IN (SELECT s.state FROM served s)
      AND u.id NOT IN (SELECT f.id FROM fair f)
    ORDER BY u.due_at LIMIT $1::integer - (SELECT count(*) FROM fair) FOR NO KEY UPDATE OF u SKIP LOCKED
)
UPDATE certpipe.uploads u
SET due_at = now() + interval '10 seconds', dispatched_at = NULL
FROM (SELECT id FROM fair UNION ALL SELECT id FROM oldest) AS d
WHERE u.id = d.id
RETURNING u.id, u.epoch, u.state::text AS state

-- name: dispatched
-- A row that is locked is being settled: it needs this note no more. One that has ended is at another epoch.
WITH held AS MATERIALIZED (
    SELECT u.id
    FROM unnest($1::uuid[], $2::integer[]) AS r (id, epoch)
    JOIN certpipe.uploads u ON u.id = r.id AND u.epoch = r.epoch
    WHERE u.dispatched_at IS NULL
    ORDER BY u.id
    FOR NO KEY UPDATE OF u SKIP LOCKED
)
UPDATE certpipe.uploads u
SET dispatched_at = now(), due_at = now() + interval '15 minutes'
FROM held h
WHERE u.id = h.id

-- name: relax
-- A lost note costs a second publishing only, so that its commit need not wait for the disk.
SET LOCAL synchronous_commit = off

-- name: due_already
SELECT now() AS now, count(*) AS due FROM certpipe.uploads WHERE due_at <= now()

-- name: redrive
-- One slice of what was last changed before $1 and is not due yet. Of what is due at infinity only what nobody would let
-- go: suspects have a time of their own, and what waits for a service is let go by other queries. It counts as dispatched
-- already, so that no late note of the dispatch from before puts it off until the reconciler's time.
WITH waiting AS MATERIALIZED (
    SELECT u.id FROM certpipe.uploads u
    WHERE u.due_at > $1 AND u.updated_at <= $1
      AND (
          u.due_at < 'infinity'
          OR u.held_by IS NULL
          AND (SELECT s.upload_id FROM certpipe.suspects s WHERE s.upload_id = u.id LIMIT 1) IS NULL
      )
    ORDER BY u.due_at LIMIT $2 FOR NO KEY UPDATE OF u SKIP LOCKED
)
UPDATE certpipe.uploads u
SET due_at = $1, dispatched_at = now()
FROM waiting w
WHERE u.id = w.id
RETURNING u.id

-- name: depth
-- An ended upload is in no index that this reads.
SELECT organization_id, count(*) AS depth FROM certpipe.uploads WHERE due_at IS NOT NULL GROUP BY organization_id

-- name: sweep_checks
WITH old AS MATERIALIZED (
    SELECT id FROM certpipe.uploads
    WHERE is_check AND created_at < now() - interval '10 minutes'
    ORDER BY created_at LIMIT 1000 FOR UPDATE SKIP LOCKED
), unsealed AS (
    DELETE FROM certpipe.sealed_payloads p USING old o WHERE p.upload_id = o.id
), untold AS (
    DELETE FROM certpipe.events e USING old o WHERE e.subject_id = o.id
)
DELETE FROM certpipe.uploads u USING old o WHERE u.id = o.id

-- name: sweep_keys
-- One slice, so that what has piled up while nobody swept cannot outlast a statement's time again and again.
WITH old AS MATERIALIZED (
    SELECT organization_id, key_hash
    FROM certpipe.idempotency_keys
    WHERE created_at < now() - interval '8 days'
    ORDER BY created_at LIMIT $1
), gone AS (
    DELETE FROM certpipe.idempotency_keys k
    USING old o
    WHERE k.organization_id = o.organization_id AND k.key_hash = o.key_hash
    RETURNING k.key_hash
)
SELECT count(*) AS done FROM gone

-- name: sweep_followers
-- One slice. A follower is looked at a day after it came, and each day again until its upload has ended a day ago and all
-- of its events are published.
WITH due AS MATERIALIZED (
    SELECT upload_id FROM certpipe.followers
    WHERE look_at <= now()
    ORDER BY look_at LIMIT $1 FOR UPDATE SKIP LOCKED
), looked AS MATERIALIZED (
    SELECT d.upload_id,
        u.id IS NULL OR certpipe.ended(u.state, u.is_check) AND u.updated_at < now() - interval '1 day'
            AND t.untold IS NULL AS over
    FROM due d
    LEFT JOIN certpipe.uploads u ON u.id = d.upload_id
    LEFT JOIN LATERAL (
        SELECT true AS untold
        FROM certpipe.events e
        WHERE e.subject_id = d.upload_id
          AND coalesce(e.position > (SELECT c.position FROM certpipe.cursors c WHERE c.name = 'amqp'), true)
        LIMIT 1
    ) AS t ON true
), gone AS (
    DELETE FROM certpipe.followers f USING looked l WHERE f.upload_id = l.upload_id AND l.over
), kept AS (
    UPDATE certpipe.followers f
    SET look_at = now() + interval '1 day'
    FROM looked l
    WHERE f.upload_id = l.upload_id AND NOT l.over
)
SELECT count(*) AS done FROM looked
