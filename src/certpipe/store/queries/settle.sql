-- name: held
-- The batch, and its rows locked in the order of their ids, so that two batches never wait for each other in a circle.
-- $1 is the state that the stage waits in; a row that moved on, or is at another epoch, is not held.
WITH input AS (
    SELECT *
    FROM unnest(
        $2::uuid[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::float8[],
        $8::jsonb[], $9::jsonb[], $10::jsonb[], $11::uuid[]
    ) AS i (id, epoch, next, event, code, delay, new_facts, new_problems, new_warnings, new_certificate)
), held AS MATERIALIZED (
    SELECT i.id, i.next::certpipe.state AS next, i.event, i.code, i.delay,
        i.new_facts, i.new_problems, i.new_warnings, i.new_certificate,
        u.party_id AS party, u.kind AS sort, u.accepted_order AS place
    FROM input i
    JOIN certpipe.uploads u ON u.id = i.id AND u.epoch = i.epoch
    WHERE u.state = $1::text::certpipe.state AND NOT certpipe.ended(u.state, u.is_check)
    ORDER BY u.id
    FOR NO KEY UPDATE OF u
),

-- name: as_asked
judged AS (SELECT * FROM held),

-- name: newest_wins
-- By order of acceptance: an upload is late when a newer one of its party and kind is stored already, or is in here too.
judged AS (
    SELECT id, delay, new_facts, new_problems, new_warnings, new_certificate,
        CASE WHEN late THEN 'superseded' ELSE next END AS next,
        CASE WHEN late THEN 'upload.superseded' ELSE event END AS event,
        code
    FROM (
        SELECT h.*, h.next = 'stored' AND (
            h.place < max(h.place) FILTER (WHERE h.next = 'stored') OVER (PARTITION BY h.party, h.sort)
            OR EXISTS (
                SELECT FROM certpipe.certificates c
                WHERE c.party_id = h.party AND c.kind = h.sort AND c.accepted_order > h.place
            )
        ) AS late
        FROM held h
    ) AS ranked
),

-- name: moved
-- attempt: the tries that the stage has had; a new stage begins at none. due_at: a moment of grace for the fast path,
-- which publishes right after the commit. Every change has its event, whose sequence is the new epoch. Boxes go when
-- nobody may need them any more; a failed upload keeps its box, so that it can be replayed.
moved AS (
    UPDATE certpipe.uploads u
    SET state = j.next,
        epoch = u.epoch + 1,
        attempt = CASE
            WHEN j.next IN (u.state, 'failed') THEN u.attempt + 1
            WHEN j.next IN ('rejected', 'superseded') THEN u.attempt
            ELSE 0
        END,
        dispatched_at = NULL,
        due_at = CASE
            WHEN NOT certpipe.ended(j.next, u.is_check) THEN now() + make_interval(secs => coalesce(j.delay, 3))
        END,
        certificate_id = coalesce(j.new_certificate, u.certificate_id),
        facts = coalesce(j.new_facts, u.facts),
        problems = coalesce(j.new_problems, u.problems),
        warnings = coalesce(j.new_warnings, u.warnings),
        updated_at = now()
    FROM judged j
    WHERE u.id = j.id
    RETURNING u.id, u.epoch, u.attempt, u.state, u.is_check, u.organization_id, u.party_id, u.kind, u.certificate_id,
        u.accepted_order, u.facts, j.event, j.code
), told AS (
    INSERT INTO certpipe.events (subject_id, sequence, organization_id, type, stage, code, attempt)
    SELECT id, epoch, organization_id, event, $12::text, code, nullif(attempt, 0) FROM moved
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
        $13::uuid[], $14::text[], $15::integer[], $16::bytea[], $17::bytea[], $18::bytea[], $19::bytea[], $20::text[],
        $21::integer[]
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
    WHERE m.state = 'stored' AND c.party_id = m.party_id AND c.kind = m.kind AND c.replaced_at IS NULL
    RETURNING c.id
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
-- with: as_asked
-- with: moved
, received AS (
    INSERT INTO certpipe.handoffs (upload_id, destination, received_at, confirmed_by, reference)
    SELECT r.*
    FROM unnest($13::uuid[], $14::text[], $15::timestamptz[], $16::text[], $17::text[])
        AS r (upload_id, destination, received_at, confirmed_by, reference)
    WHERE r.upload_id = ANY (ARRAY(SELECT m.id FROM moved m WHERE m.state = 'forwarded'))
    ON CONFLICT (upload_id, destination) DO UPDATE
    SET received_at = excluded.received_at, confirmed_by = excluded.confirmed_by, reference = excluded.reference
)
SELECT id, epoch, state::text AS state, is_check FROM moved
