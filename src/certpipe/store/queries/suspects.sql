-- name: suspect
-- Dispatched already, so that no late note of that puts its own time in the place of infinity.
WITH held AS MATERIALIZED (
    SELECT u.id, u.epoch
    FROM unnest($1::uuid[], $2::integer[]) AS r (id, epoch)
    JOIN certpipe.uploads u ON u.id = r.id AND u.epoch = r.epoch
    WHERE NOT certpipe.ended(u.state, u.is_check)
    ORDER BY u.id
    FOR NO KEY UPDATE OF u
), noted AS (
    INSERT INTO certpipe.suspects AS s (upload_id, epoch, deaths)
    SELECT id, epoch, $3::integer FROM held
    ON CONFLICT (upload_id) DO UPDATE
    SET epoch = excluded.epoch,
        deaths = excluded.deaths + CASE WHEN s.epoch = excluded.epoch THEN s.deaths ELSE 0 END,
        due_at = now()
    RETURNING upload_id
)
UPDATE certpipe.uploads u
SET due_at = 'infinity', dispatched_at = now()
FROM noted n
WHERE u.id = n.upload_id

-- name: forget
-- Whoever was settled since is none any more; but is, if it was suspected again at this moment, at another epoch.
WITH settled AS MATERIALIZED (
    SELECT s.upload_id, s.epoch
    FROM certpipe.suspects s
    WHERE s.upload_id > '00000000-0000-0000-0000-000000000000'
      AND NOT EXISTS (
          SELECT
          FROM certpipe.uploads u
          WHERE u.id = s.upload_id AND u.epoch = s.epoch AND NOT certpipe.ended(u.state, u.is_check)
      )
)
DELETE FROM certpipe.suspects s
USING settled o
WHERE s.upload_id = o.upload_id AND s.epoch = o.epoch

-- name: due
-- A lease of ten seconds, like that of the backlog. Of those for a process of their own the first few of each stage ($1)
-- are on their way at a time, so that they never fill what a worker may have in hand; of the others some ($2). Who waits
-- for a service is let go with all that do, and takes no place meanwhile.
WITH noted AS MATERIALIZED (
    SELECT upload_id, epoch, deaths, since
    FROM certpipe.suspects
    WHERE upload_id > '00000000-0000-0000-0000-000000000000'
), ranked AS MATERIALIZED (
    SELECT s.upload_id, u.state,
        row_number() OVER (PARTITION BY u.state, s.deaths > 1 ORDER BY s.since, s.upload_id) AS turn
    FROM noted s
    CROSS JOIN LATERAL (SELECT u.state, u.epoch, u.held_by FROM certpipe.uploads u WHERE u.id = s.upload_id LIMIT 1) AS u
    WHERE u.epoch = s.epoch AND u.held_by IS NULL
), due AS MATERIALIZED (
    SELECT s.upload_id, r.state
    FROM ranked r
    JOIN certpipe.suspects s ON s.upload_id = r.upload_id
    WHERE s.due_at <= now() AND r.turn <= CASE WHEN s.deaths > 1 THEN $1::integer ELSE $2::integer END
    FOR NO KEY UPDATE OF s SKIP LOCKED
)
UPDATE certpipe.suspects s
SET due_at = now() + interval '10 seconds'
FROM due d
WHERE s.upload_id = d.upload_id
RETURNING s.upload_id AS id, s.epoch, d.state::text AS state, s.deaths

-- name: dispatched
UPDATE certpipe.suspects s
SET due_at = now() + interval '15 minutes'
FROM unnest($1::uuid[], $2::integer[]) AS r (id, epoch)
WHERE s.upload_id = r.id AND s.epoch = r.epoch

-- name: redrive
WITH due AS (
    UPDATE certpipe.suspects
    SET due_at = now()
    WHERE upload_id > '00000000-0000-0000-0000-000000000000'
    RETURNING upload_id
)
SELECT count(*) AS due FROM due
