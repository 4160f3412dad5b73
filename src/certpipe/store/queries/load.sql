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
-- attempt begins with its intent, ends with a change of its row, and takes no $9 seconds. A removal does not stop an
-- attempt: what counts then is the last change before the removal's own two. Nor is an upload ended that was replaced while
-- an attempt of it is under way, when its message comes a second time: the newer one would not wait for it any more.
-- What a service is left alone by (all but its probe) waits, until the sweeper lets it go, and is not changed, so that no
-- attempt is burnt; but the first of an organization tells it. That is one of which no attempt is under way: the end of
-- that attempt could not be written down at another epoch, and the upload would be sent again.
-- What room $5 leaves for a kind its organizations get in turn, each for those that it had accepted first. The others come
-- again later, in the same order: the first of them after $6 seconds, each other $7 seconds after the one before.
-- $8 is who sends. An attempt whose sender lives is not begun a second time, whatever its message does: a sender holds the
-- lock of its number for as long as it lives. It is asked where the intent is written, for there alone what a concurrent
-- load wrote is seen. The intent has the time of its writing: a row may have been changed while this waited for another.
WITH held AS MATERIALIZED (
    SELECT u.id, u.kind, u.certificate_id, u.organization_id AS owner, u.attempt, u.accepted_order AS place,
        (
            SELECT s.name
            FROM unnest($3::text[], $4::text[]) AS d (kind, destination)
            JOIN certpipe.services s ON s.name = d.destination
            WHERE d.kind = u.kind::text AND s.state <> 'closed' AND NOT (s.state = 'half_open' AND s.probe = u.id)
            ORDER BY s.name LIMIT 1
        ) AS shut,
        EXISTS (
            SELECT FROM certpipe.certificates c WHERE c.id = u.certificate_id AND c.replaced_at IS NULL
        ) AS active,
        EXISTS (
            SELECT
            FROM certpipe.uploads o
            JOIN certpipe.handoffs f ON f.upload_id = o.id
            WHERE o.party_id = u.party_id AND o.kind = u.kind AND o.due_at IS NOT NULL AND o.certificate_id IS NOT NULL
              AND o.state = 'stored' AND o.accepted_order < u.accepted_order
              AND f.received_at IS NULL AND f.intended_at >= o.updated_at AND f.intended_at > now() - make_interval(secs => $9::float8)
        ) OR EXISTS (
            SELECT
            FROM certpipe.certificates c
            JOIN certpipe.uploads o ON o.id = c.upload_id
            JOIN certpipe.events e ON e.subject_id = o.id AND e.sequence = o.epoch - 2
            JOIN certpipe.handoffs f ON f.upload_id = o.id
            WHERE c.party_id = u.party_id AND c.kind = u.kind AND c.removed_at > now() - make_interval(secs => $9::float8)
              AND o.state = 'superseded' AND o.accepted_order < u.accepted_order
              AND f.received_at IS NULL AND f.intended_at >= e.at AND f.intended_at > now() - make_interval(secs => $9::float8)
        ) AS behind,
        EXISTS (
            SELECT
            FROM certpipe.handoffs f
            WHERE f.upload_id = u.id AND f.received_at IS NULL
              AND f.intended_at >= u.updated_at AND f.intended_at > now() - make_interval(secs => $9::float8)
        ) AS under_way
    FROM unnest($1::uuid[], $2::integer[]) AS r (id, epoch)
    JOIN certpipe.uploads u ON u.id = r.id AND u.epoch = r.epoch
    WHERE u.state = 'stored'
    ORDER BY u.id
    FOR NO KEY UPDATE OF u
), superseded AS (
    UPDATE certpipe.uploads u
    SET state = 'superseded', epoch = u.epoch + 1, dispatched_at = NULL, due_at = NULL, updated_at = now()
    FROM held h
    WHERE u.id = h.id AND NOT h.active AND NOT h.under_way
    RETURNING u.id, u.epoch, u.organization_id, u.attempt
), told AS (
    INSERT INTO certpipe.events (subject_id, sequence, organization_id, type, stage, attempt)
    SELECT id, epoch, organization_id, 'upload.superseded', 'forward', nullif(attempt, 0) FROM superseded
), crowd AS MATERIALIZED (
    SELECT h.id, d.later, d.between,
        row_number() OVER (PARTITION BY h.kind ORDER BY h.turn, h.place) - d.room AS beyond
    FROM (
        SELECT id, kind, place, row_number() OVER (PARTITION BY kind, owner ORDER BY place) AS turn
        FROM held
        WHERE active AND NOT behind AND shut IS NULL
    ) AS h
    JOIN (
        SELECT kind, min(room) AS room, max(later) AS later, max(between) AS between
        FROM unnest($3::text[], $5::integer[], $6::float8[], $7::float8[]) AS r (kind, room, later, between)
        GROUP BY kind
    ) AS d ON d.kind = h.kind::text
), news AS MATERIALIZED (
    SELECT DISTINCT ON (h.owner, h.shut) h.id, h.owner, h.shut
    FROM held h
    JOIN certpipe.services s ON s.name = h.shut AND s.state = 'open'
    WHERE h.active AND NOT h.under_way
      AND NOT EXISTS (SELECT FROM certpipe.outages o WHERE o.organization_id = h.owner AND o.destination = h.shut)
    ORDER BY h.owner, h.shut, h.place
), locked AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(outage)
    FROM (SELECT hashtextextended(owner::text || shut, 0) AS outage FROM news ORDER BY outage) AS in_order
), unavailable AS (
    INSERT INTO certpipe.outages (organization_id, destination)
    SELECT owner, shut FROM news WHERE (SELECT count(*) FROM locked) > 0
    ON CONFLICT DO NOTHING
    RETURNING organization_id AS owner, destination AS shut
), waiting AS (
    -- Dispatched already, so that the coming note of its dispatch does not put it off.
    UPDATE certpipe.uploads u
    SET dispatched_at = now(),
        held_by = CASE WHEN h.active THEN h.shut END,
        due_at = CASE
            WHEN h.active AND h.shut IS NOT NULL THEN 'infinity'
            WHEN h.behind OR NOT h.active THEN now() + interval '1 second'
            ELSE now() + make_interval(secs => c.later + (c.beyond - 1) * c.between)
        END,
        epoch = u.epoch + CASE WHEN n.id IS NULL THEN 0 ELSE 1 END
    FROM held h
    LEFT JOIN crowd c ON c.id = h.id AND c.beyond > 0
    LEFT JOIN (news JOIN unavailable USING (owner, shut)) AS n ON n.id = h.id
    WHERE u.id = h.id AND (
        h.active AND (h.shut IS NOT NULL OR h.behind OR c.id IS NOT NULL) OR NOT h.active AND h.under_way
    )
    RETURNING u.id, u.epoch, u.organization_id, u.kind::text AS kind, u.attempt, h.shut,
        n.id IS NOT NULL AS told, c.id IS NOT NULL AS put_off
), told_out AS (
    INSERT INTO certpipe.events (
        subject_id, sequence, organization_id, type, stage, code, attempt, destination, problems
    )
    SELECT w.id, w.epoch, w.organization_id, 'destination.unavailable', 'forward', s.code, nullif(w.attempt, 0), s.name,
        s.problems
    FROM waiting w
    JOIN certpipe.services s ON s.name = w.shut
    WHERE w.told
), wanted AS MATERIALIZED (
    SELECT h.id, d.destination
    FROM held h
    JOIN unnest($3::text[], $4::text[]) AS d (kind, destination) ON d.kind = h.kind::text
    WHERE h.active AND h.id NOT IN (SELECT w.id FROM waiting w)
), intended AS (
    INSERT INTO certpipe.handoffs AS f (upload_id, destination, sender, intended_at)
    SELECT id, destination, $8, clock_timestamp() FROM wanted
    ON CONFLICT (upload_id, destination) DO UPDATE SET intended_at = clock_timestamp(), sender = excluded.sender
    WHERE f.received_at IS NOT NULL OR f.sender IS NULL OR f.intended_at <= now() - make_interval(secs => $9::float8)
       OR f.intended_at < (SELECT u.updated_at FROM certpipe.uploads u WHERE u.id = f.upload_id)
       OR pg_try_advisory_xact_lock(f.sender)
    RETURNING upload_id, destination, xmax <> 0 AND received_at IS NULL AS open
), on_its_way AS (
    UPDATE certpipe.uploads u
    SET dispatched_at = now(), due_at = now() + interval '1 second'
    FROM (SELECT id, destination FROM wanted EXCEPT SELECT upload_id, destination FROM intended) AS refused
    WHERE u.id = refused.id
    RETURNING u.id
), before AS MATERIALIZED (
    SELECT upload_id AS id, array_agg(destination) AS destinations FROM intended WHERE open GROUP BY upload_id
)
SELECT u.id, u.epoch, u.attempt, u.organization_id, u.certificate_id, u.facts, b.destinations AS open_intents,
    ARRAY(SELECT s.name FROM certpipe.services s WHERE s.probe = u.id AND s.state = 'half_open') AS probes,
    ARRAY(SELECT w.kind FROM waiting w WHERE w.put_off) AS put_off,
    p.part, p.version, p.ciphertext, p.nonce, p.commitment, p.wrapped_key, p.key_id, p.key_version,
-- with: defects
FROM held h
JOIN certpipe.uploads u ON u.id = h.id
JOIN certpipe.parts p ON p.certificate_id = h.certificate_id
LEFT JOIN before b ON b.id = h.id
WHERE h.active AND h.id NOT IN (SELECT w.id FROM waiting w) AND h.id NOT IN (SELECT o.id FROM on_its_way o)
ORDER BY u.id, p.part

-- name: overtaken
-- Asked when the intents of `stored` are committed: which of these certificates were replaced since that began, as it may
-- have waited for a row. What is not replaced yet has its intent where every load of the newer one sees it. Of what is
-- replaced the attempt ends here, before anything was sent, and its next load, at once, ends the upload. Of those in $2
-- an attempt was on record before, of which it is not known whether it is over: the newer one goes on waiting for that.
WITH replaced AS MATERIALIZED (
    SELECT c.id, c.upload_id FROM certpipe.certificates c WHERE c.id = ANY ($1::uuid[]) AND c.replaced_at IS NOT NULL
), held AS MATERIALIZED (
    SELECT u.id FROM certpipe.uploads u
    WHERE u.id = ANY (ARRAY(SELECT r.upload_id FROM replaced r)) AND u.state = 'stored'
    ORDER BY u.id
    FOR NO KEY UPDATE
), over AS (
    UPDATE certpipe.uploads u
    SET due_at = now(), dispatched_at = now(), held_by = NULL,
        updated_at = CASE WHEN u.certificate_id = ANY ($2::uuid[]) THEN u.updated_at ELSE now() END
    FROM held h
    WHERE u.id = h.id
)
SELECT id FROM replaced
