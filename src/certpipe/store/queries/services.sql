-- name: register
INSERT INTO certpipe.services AS s (name, per_second)
SELECT * FROM unnest($1::text[], $2::float8[]) AS r (name, per_second)
ORDER BY name
ON CONFLICT (name) DO UPDATE SET per_second = excluded.per_second, seen_at = now()

-- name: present
-- A living process uses these. Nothing is written while everything is used, or while what is left alone is none of these
-- and holds nothing. Of a row that somebody else has at hand it is said the next time.
WITH these AS MATERIALIZED (
    SELECT s.name FROM certpipe.services s
    WHERE s.name = ANY ($1::text[]) AND s.seen_at < now() - interval '5 seconds'
      AND EXISTS (
        SELECT FROM certpipe.services o
        WHERE o.state <> 'closed' AND (o.name = ANY ($1::text[]) OR (
            SELECT u.id FROM certpipe.uploads u WHERE u.held_by = o.name AND u.due_at = 'infinity' LIMIT 1
        ) IS NOT NULL)
      )
    FOR NO KEY UPDATE OF s SKIP LOCKED
)
UPDATE certpipe.services s SET seen_at = now() FROM these t WHERE s.name = t.name

-- name: standing
-- What has been well for five minutes was not opened on end.
SELECT name, state,
    CASE WHEN state = 'closed' AND since < now() - interval '5 minutes' THEN 0 ELSE openings END AS openings
FROM certpipe.services

-- name: opened
-- Whoever comes second opens nothing, but may have been told to wait for longer. A probe counts while it is the one.
UPDATE certpipe.services
SET state = 'open',
    since = CASE WHEN state = 'closed' THEN now() ELSE since END,
    good = CASE WHEN state = 'closed' THEN 0 ELSE good END,
    openings = CASE
        WHEN state = 'open' THEN openings
        WHEN state = 'closed' AND since < now() - interval '5 minutes' THEN 1
        ELSE openings + 1
    END,
    open_until = CASE
        WHEN state = 'open' THEN greatest(open_until, now() + make_interval(secs => $2::float8))
        ELSE now() + make_interval(secs => $2::float8)
    END,
    code = $3::text,
    problems = $4::jsonb,
    seen_at = now(),
    updated_at = now()
WHERE name = $1::text
  AND CASE WHEN $5::uuid IS NULL THEN state IN ('closed', 'open') ELSE state = 'half_open' AND probe = $5::uuid END

-- name: answered
-- Closed after enough of them; or when nothing waits that could be the next.
UPDATE certpipe.services s
SET good = good + 1,
    state = CASE WHEN closes THEN 'closed' ELSE state END,
    since = CASE WHEN closes THEN now() ELSE since END,
    released_until = CASE WHEN closes THEN now() ELSE released_until END,
    probe = CASE WHEN NOT closes THEN probe END,
    open_until = now(),
    updated_at = now()
FROM (
    SELECT k.name, k.good + 1 >= $2::integer OR (
        SELECT u.id FROM certpipe.uploads u WHERE u.held_by = k.name AND u.due_at = 'infinity' LIMIT 1
    ) IS NULL AS closes
    FROM certpipe.services k
    WHERE k.name = $1::text
    FOR NO KEY UPDATE OF k
) AS l
WHERE s.name = l.name AND s.state = 'half_open'

-- name: reset
UPDATE certpipe.services
SET state = 'closed',
    since = CASE WHEN state = 'closed' THEN since ELSE now() END,
    openings = 0,
    probe = NULL,
    released_until = CASE WHEN state = 'closed' THEN released_until ELSE now() END,
    updated_at = now()
WHERE name = $1::text
RETURNING name

-- name: shown
SELECT s.name, s.state, s.since, s.code, s.problems, s.openings,
    CASE WHEN s.state = 'open' THEN s.open_until END AS until,
    (SELECT count(*) FROM certpipe.uploads u WHERE u.held_by = s.name AND u.due_at = 'infinity') AS waiting
FROM certpipe.services s
ORDER BY s.name

-- name: probe
-- Where a service was left alone for long enough, or its probe has not ended in time ($1 seconds), the next upload that
-- waits for it may try: in turn, so that one which always fails is not the only one. Whoever comes second finds it locked.
-- An upload that somebody else has at hand is passed over: to wait for it would hold up all that the sweeper does.
-- What is let go, here and below, counts as dispatched already, so that no late note of the dispatch from before it was
-- held puts it off until the reconciler's time.
WITH over AS MATERIALIZED (
    SELECT name, probe FROM certpipe.services
    WHERE state <> 'closed' AND open_until <= now()
    FOR NO KEY UPDATE SKIP LOCKED
), chosen AS MATERIALIZED (
    SELECT o.name, coalesce(
        (
            SELECT u.id FROM certpipe.uploads u
            WHERE u.held_by = o.name AND u.due_at = 'infinity' AND u.id > o.probe
            ORDER BY u.id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
        ), (
            SELECT u.id FROM certpipe.uploads u
            WHERE u.held_by = o.name AND u.due_at = 'infinity'
            ORDER BY u.id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
        )
    ) AS id
    FROM over o
), let_go AS (
    UPDATE certpipe.uploads u
    SET due_at = now(), dispatched_at = now(), held_by = NULL
    FROM chosen c
    WHERE u.id = c.id AND u.held_by IS NOT NULL AND NOT certpipe.ended(u.state, u.is_check)
    RETURNING u.id, c.name
)
UPDATE certpipe.services s
SET state = 'half_open', probe = l.id, open_until = now() + make_interval(secs => $1::float8), updated_at = now()
FROM let_go l
WHERE s.name = l.name

-- name: release
-- A slice of what waits for services that are used again, spread over time as fast as each is used: of each organization
-- the same share, in turn, those with the lowest ids first. Five seconds of it at the most, so that what comes to wait
-- meanwhile is not far behind.
WITH RECURSIVE free AS MATERIALIZED (
    SELECT s.name, s.per_second, greatest(s.released_until, now()) AS begin,
        ceil(least($1::integer, 5 * s.per_second))::integer AS most
    FROM certpipe.services s
    WHERE s.state = 'closed' AND s.released_until < now() + interval '2 seconds'
      AND (SELECT u.id FROM certpipe.uploads u WHERE u.held_by = s.name AND u.due_at = 'infinity' LIMIT 1) IS NOT NULL
    FOR NO KEY UPDATE OF s SKIP LOCKED
), owners AS (
    SELECT f.name, '00000000-0000-0000-0000-000000000000'::uuid AS owner FROM free f
    UNION ALL
    SELECT o.name, following.organization_id
    FROM owners o
    CROSS JOIN LATERAL (
        SELECT u.held_by, u.organization_id FROM certpipe.uploads u
        WHERE u.held_by IS NOT NULL AND u.due_at = 'infinity' AND (u.held_by, u.organization_id) > (o.name, o.owner)
        ORDER BY u.held_by, u.organization_id LIMIT 1
    ) AS following
    WHERE following.held_by = o.name
), shares AS MATERIALIZED (
    -- Chance decides only where there are more organizations than turns.
    SELECT name, owner, share
    FROM (
        SELECT o.name, o.owner, f.most, greatest(f.most / count(*) OVER (PARTITION BY o.name), 1) AS share,
            row_number() OVER (PARTITION BY o.name ORDER BY random()) AS lot
        FROM owners o
        JOIN free f ON f.name = o.name
        WHERE o.owner <> '00000000-0000-0000-0000-000000000000'
    ) AS drawn
    WHERE lot <= most
), own AS MATERIALIZED (
    SELECT s.name, s.owner, w.id
    FROM shares s
    CROSS JOIN LATERAL (
        SELECT u.id FROM certpipe.uploads u
        WHERE u.held_by = s.name AND u.organization_id = s.owner AND u.due_at = 'infinity'
        ORDER BY u.id LIMIT s.share FOR NO KEY UPDATE SKIP LOCKED
    ) AS w
), turns AS (
    SELECT name, id, row_number() OVER (PARTITION BY name, owner ORDER BY id) AS turn FROM own
), slice AS MATERIALIZED (
    SELECT f.name, t.id,
        f.begin + make_interval(secs => row_number() OVER (PARTITION BY f.name ORDER BY t.turn, t.id) / f.per_second) AS due
    FROM turns t
    JOIN free f ON f.name = t.name
), promised AS (
    UPDATE certpipe.services s
    SET released_until = p.until
    FROM (SELECT name, max(due) AS until FROM slice GROUP BY name) AS p
    WHERE s.name = p.name
)
UPDATE certpipe.uploads u
SET due_at = l.due, dispatched_at = now(), held_by = NULL
FROM slice l
WHERE u.id = l.id
RETURNING u.id

-- name: release_deserted
-- A slice of what waits for services that no living process uses any more, while one lives that uses others: whatever
-- serves their kind now gets them. Their breakers stay as they are. Should one of its processes be alive after all, and
-- only not heard of, that one holds again what comes to it.
WITH deserted AS MATERIALIZED (
    SELECT s.name FROM certpipe.services s
    WHERE s.state <> 'closed' AND s.seen_at < now() - interval '30 seconds'
      AND EXISTS (SELECT FROM certpipe.services o WHERE o.seen_at > now() - interval '15 seconds')
), slice AS MATERIALIZED (
    SELECT u.id FROM deserted d
    CROSS JOIN LATERAL (
        SELECT u.id FROM certpipe.uploads u
        WHERE u.held_by = d.name AND u.due_at = 'infinity'
        ORDER BY u.id LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED
    ) AS u
)
UPDATE certpipe.uploads u
SET due_at = now(), dispatched_at = now(), held_by = NULL
FROM slice l
WHERE u.id = l.id
RETURNING u.id

-- name: release_all
-- One slice of what waits for any service, from the upload after $1: whoever still has to wait is held again.
WITH held AS MATERIALIZED (
    SELECT u.id FROM certpipe.services s
    CROSS JOIN LATERAL (
        SELECT u.id FROM certpipe.uploads u
        WHERE u.held_by = s.name AND u.due_at = 'infinity' AND u.id > $1
        ORDER BY u.id LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
    ) AS u
    ORDER BY u.id LIMIT $2
)
UPDATE certpipe.uploads u
SET due_at = now(), dispatched_at = now(), held_by = NULL
FROM held h
WHERE u.id = h.id
RETURNING u.id
