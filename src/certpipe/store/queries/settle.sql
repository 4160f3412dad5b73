-- name: held
-- The batch, and its rows locked in the order of their ids, so that two batches never wait for each other in a circle.
-- $1 is the state that the stage waits in; a row that moved on, or is at another epoch, is not held.
WITH input AS (
    SELECT *
    FROM unnest(
        $2::uuid[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::float8[],
        $8::jsonb[], $9::jsonb[], $10::jsonb[], $11::uuid[], $12::jsonb[]
    ) AS i (id, epoch, next, event, code, delay, new_facts, new_problems, new_warnings, new_certificate, destinations)
), held AS MATERIALIZED (
    SELECT i.id, i.next::certpipe.state AS next, i.event, i.code, i.delay,
        i.new_facts, i.new_problems, i.new_warnings, i.new_certificate, i.destinations,
        u.party_id AS party, u.kind AS sort, u.accepted_order AS place, u.organization_id AS owner, u.epoch, u.attempt
    FROM input i
    JOIN certpipe.uploads u ON u.id = i.id AND u.epoch = i.epoch
    WHERE u.state = $1::text::certpipe.state AND NOT certpipe.ended(u.state, u.is_check)
    ORDER BY u.id
    FOR NO KEY UPDATE OF u
),

-- name: as_asked
-- aside: the events that an upload has besides that of its change.
judged AS (SELECT *, NULL::uuid AS replaces, 0 AS aside FROM held),

-- name: newest_wins
-- By order of acceptance: an upload is late when a newer one of its party and kind is stored already, or is in here too.
-- Of a party and kind one at the most is not late: it replaces the active one, which nobody else can touch meanwhile.
ranked AS (
    SELECT id, delay, new_facts, new_problems, new_warnings, new_certificate, destinations, code,
        CASE WHEN late THEN 'superseded' ELSE next END AS next,
        CASE WHEN late THEN 'upload.superseded' ELSE event END AS event,
        CASE WHEN next = 'stored' AND NOT late THEN (
            SELECT c.id
            FROM certpipe.certificates c
            WHERE c.party_id = party AND c.kind = sort AND c.replaced_at IS NULL
        ) END AS replaces
    FROM (
        SELECT h.*, h.next = 'stored' AND (
            h.place < max(h.place) FILTER (WHERE h.next = 'stored') OVER (PARTITION BY h.party, h.sort)
            OR EXISTS (
                SELECT FROM certpipe.certificates c
                WHERE c.party_id = h.party AND c.kind = h.sort AND c.accepted_order > h.place
            )
        ) AS late
        FROM held h
    ) AS compared
), judged AS (
    SELECT *, CASE WHEN replaces IS NULL THEN 0 ELSE 1 END AS aside FROM ranked
),

-- name: by_destination
-- What an outcome says of the destinations: one that has answered an upload, with yes or no, is recovered if it was out
-- (loading sets it out). Of several uploads that tell the same the first accepted is told of. Whoever changes an outage
-- takes its lock first, all of them in one order, and then finds what the one before it left; where nothing changes,
-- which is nearly always, none is taken.
answering AS MATERIALIZED (
    SELECT DISTINCT ON (o.organization_id, o.destination) h.id, h.owner, o.destination
    FROM held h
    CROSS JOIN LATERAL jsonb_array_elements_text(h.destinations) AS d (destination)
    JOIN certpipe.outages o ON o.organization_id = h.owner AND o.destination = d.destination
    WHERE h.next IN ('forwarded', 'rejected')
    ORDER BY o.organization_id, o.destination, h.place
), locked AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(outage)
    FROM (
        SELECT hashtextextended(owner::text || destination, 0) AS outage FROM answering ORDER BY outage
    ) AS in_order
), news AS (
    DELETE FROM certpipe.outages o
    USING answering a
    WHERE o.organization_id = a.owner AND o.destination = a.destination AND (SELECT count(*) FROM locked) > 0
    RETURNING a.id, a.destination
), judged AS (
    SELECT h.*, NULL::uuid AS replaces,
        CASE WHEN h.next IN ('forwarded', 'rejected') THEN coalesce(jsonb_array_length(h.destinations), 0) ELSE 0 END
            + (SELECT count(*)::integer FROM news n WHERE n.id = h.id) AS aside
    FROM held h
),

-- name: moved
-- attempt: the tries that the stage has had; a new stage begins at none. due_at: a moment of grace for the fast path,
-- which publishes right after the commit. Every change has its event, whose sequence is the new epoch; those aside of it
-- come before it. Checks are told to nobody. Boxes go when nobody may need them any more; a failed upload keeps its box,
-- so that it can be replayed.
moved AS (
    UPDATE certpipe.uploads u
    SET state = j.next,
        epoch = u.epoch + 1 + j.aside,
        attempt = CASE
            WHEN j.next IN (u.state, 'failed') THEN u.attempt + 1
            WHEN j.next IN ('rejected', 'superseded') THEN u.attempt
            ELSE 0
        END,
        dispatched_at = NULL,
        held_by = NULL,
        due_at = CASE
            WHEN NOT certpipe.ended(j.next, u.is_check) THEN now() + make_interval(secs => coalesce(j.delay, 3))
        END,
        certificate_id = coalesce(j.new_certificate, u.certificate_id),
        facts = coalesce(j.new_facts, u.facts),
        problems = CASE WHEN certpipe.ended(j.next, false) THEN coalesce(j.new_problems, u.problems) ELSE u.problems END,
        warnings = coalesce(j.new_warnings, u.warnings),
        updated_at = now()
    FROM judged j
    WHERE u.id = j.id
    RETURNING u.id, u.epoch, u.attempt, u.state, u.is_check, u.organization_id, u.party_id, u.kind, u.certificate_id,
        u.accepted_order, u.facts, j.event, j.code, j.new_problems, j.destinations, j.replaces, j.aside
), told AS (
    INSERT INTO certpipe.events (
        subject_id, sequence, organization_id, type, stage, code, attempt, destination, problems, position
    )
    SELECT id, epoch, organization_id, event, $13::text, code, nullif(attempt, 0),
        CASE WHEN state <> 'forwarded' THEN destinations ->> 0 END, new_problems, CASE WHEN is_check THEN 0 END
    FROM moved
), buried AS (
    INSERT INTO certpipe.dead_letters (upload_id, organization_id, epoch, stage, reason, code, problems)
    SELECT id, organization_id, epoch, $13::text, 'failed', code, new_problems
    FROM moved
    WHERE state = 'failed' AND NOT is_check
), emptied AS (
    DELETE FROM certpipe.sealed_payloads p
    USING moved m
    WHERE p.upload_id = m.id
      AND (m.state IN ('stored', 'rejected', 'superseded') OR (m.is_check AND certpipe.ended(m.state, m.is_check)))
)

-- name: settle_validate
-- with: held
-- with: as_asked
-- with: moved
SELECT id, epoch, state::text AS state, is_check FROM moved

-- name: settle_encrypt
-- with: held
-- with: as_asked
-- with: moved
, wrapped AS (
    INSERT INTO certpipe.parts (
        certificate_id, part, version, ciphertext, nonce, commitment, wrapped_key, key_id, key_version
    )
    SELECT p.*
    FROM unnest(
        $14::uuid[], $15::text[], $16::integer[], $17::bytea[], $18::bytea[], $19::bytea[], $20::bytea[], $21::text[],
        $22::integer[]
    ) AS p (certificate_id, part, version, ciphertext, nonce, commitment, wrapped_key, key_id, key_version)
    WHERE p.certificate_id = ANY (ARRAY(SELECT m.certificate_id FROM moved m WHERE m.state = 'encrypted'))
)
SELECT id, epoch, state::text AS state, is_check FROM moved

-- name: lock_parties
-- Taken first, in the order of their ids, by whoever stores certificates: the next statement then sees what the one
-- before it stored.
SELECT
FROM certpipe.parties
WHERE id = ANY (ARRAY(SELECT u.party_id FROM certpipe.uploads u WHERE u.id = ANY ($1::uuid[])))
ORDER BY id
FOR NO KEY UPDATE

-- name: settle_persist
-- The count makes the replacing come before the storing, so that at no instant two are active.
-- with: held
-- with: newest_wins
-- with: moved
, replaced AS (
    UPDATE certpipe.certificates c
    SET replaced_at = now()
    FROM moved m
    WHERE c.id = m.replaces
    RETURNING c.id, m.id AS by, m.epoch - 1 AS sequence, c.organization_id
), told_aside AS (
    INSERT INTO certpipe.events (subject_id, sequence, organization_id, type, stage, certificate_id)
    SELECT by, sequence, organization_id, 'certificate.replaced', $13::text, id FROM replaced
), stored AS (
    INSERT INTO certpipe.certificates (
        id, organization_id, party_id, kind, upload_id, version, accepted_order, facts
    )
    SELECT m.certificate_id, m.organization_id, m.party_id, m.kind, m.id,
        1 + coalesce((
            SELECT max(c.version) FROM certpipe.certificates c WHERE c.party_id = m.party_id AND c.kind = m.kind
        ), 0),
        m.accepted_order, coalesce(m.facts, '{}')
    FROM moved m
    WHERE m.state = 'stored' AND (SELECT count(*) FROM replaced) >= 0
), discarded AS (
    DELETE FROM certpipe.parts p
    USING moved m
    WHERE m.state IN ('rejected', 'superseded') AND p.certificate_id = m.certificate_id
)
SELECT id, epoch, state::text AS state, is_check FROM moved

-- name: settle_forward
-- with: held
-- with: by_destination
-- with: moved
, told_aside AS (
    INSERT INTO certpipe.events (
        subject_id, sequence, organization_id, type, stage, code, attempt, destination, problems
    )
    SELECT m.id, m.epoch - m.aside + row_number() OVER (PARTITION BY m.id ORDER BY n.destination) - 1, m.organization_id,
        'destination.recovered', $13::text, NULL, NULL, n.destination, NULL
    FROM news n
    JOIN moved m ON m.id = n.id
    UNION ALL
    SELECT m.id, m.epoch - jsonb_array_length(m.destinations) + d.turn - 1, m.organization_id,
        CASE m.state WHEN 'forwarded' THEN 'destination.forwarded' ELSE 'destination.rejected' END,
        $13::text, m.code, nullif(m.attempt, 0), d.destination, m.new_problems
    FROM moved m
    CROSS JOIN LATERAL jsonb_array_elements_text(m.destinations) WITH ORDINALITY AS d (destination, turn)
    WHERE m.state IN ('forwarded', 'rejected')
), received AS (
    INSERT INTO certpipe.handoffs (upload_id, destination, received_at, confirmed_by, reference)
    SELECT r.*
    FROM unnest($14::uuid[], $15::text[], $16::timestamptz[], $17::text[], $18::text[])
        AS r (upload_id, destination, received_at, confirmed_by, reference)
    WHERE r.upload_id = ANY (ARRAY(SELECT m.id FROM moved m WHERE m.state = 'forwarded'))
    ON CONFLICT (upload_id, destination) DO UPDATE
    SET received_at = excluded.received_at, confirmed_by = excluded.confirmed_by, reference = excluded.reference
)
SELECT id, epoch, state::text AS state, is_check FROM moved

-- name: put_off
-- Not their turn: no attempt, no event. Dispatched already, so that no late note of that puts another time in the place.
-- The change of the row says that an attempt, whose intent may be on record, is over. What is due at infinity meanwhile
-- (held, or suspected) is let go by others.
WITH held AS MATERIALIZED (
    SELECT u.id, r.delay
    FROM unnest($2::uuid[], $3::integer[], $4::float8[]) AS r (id, epoch, delay)
    JOIN certpipe.uploads u ON u.id = r.id AND u.epoch = r.epoch
    WHERE u.state = $1::text::certpipe.state AND NOT certpipe.ended(u.state, u.is_check)
    ORDER BY u.id
    FOR NO KEY UPDATE OF u
)
UPDATE certpipe.uploads u
SET due_at = CASE WHEN u.due_at = 'infinity' THEN u.due_at ELSE now() + make_interval(secs => h.delay) END,
    dispatched_at = now(),
    updated_at = now()
FROM held h
WHERE u.id = h.id
