-- name: accept
-- One durable statement for all that arrived together, in that order. Of what has a known key or id nothing is written:
-- `known` then tells. Of what must be awaited by its entry and is not, neither. A key whose first request is not committed yet makes this wait, as long as lock_timeout allows.
WITH input AS MATERIALIZED (
    SELECT *
    FROM unnest(
        $1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::boolean[], $9::text[],
        $10::text[], $11::bytea[], $12::boolean[], $13::text[], $14::text[], $15::bytea[], $16::bytea[]
    ) WITH ORDINALITY AS i (
        id, organization_id, party_id, kind, rfc, door, submitted_by, is_check, format, kid, ciphertext, awaited,
        reply_to, correlation_id, key_hash, fingerprint, place
    )
    WHERE NOT i.awaited OR (
        SELECT certpipe.entry_state(p.id, p.waiting_after, p.voided_at IS NOT NULL) = 'waiting'
        FROM certpipe.parties p
        WHERE p.id = i.party_id AND p.kind = 'entry'
    )
), claims AS (
    INSERT INTO certpipe.idempotency_keys (organization_id, key_hash, fingerprint, upload_id)
    SELECT i.organization_id, i.key_hash, i.fingerprint, i.id
    FROM input i
    WHERE i.key_hash IS NOT NULL AND NOT EXISTS (SELECT FROM certpipe.uploads u WHERE u.id = i.id)
    ORDER BY i.place
    ON CONFLICT (organization_id, key_hash) DO NOTHING
    RETURNING upload_id
), accepted AS (
    INSERT INTO certpipe.uploads (id, organization_id, party_id, kind, rfc, door, submitted_by, is_check, due_at)
    SELECT i.id, i.organization_id, i.party_id, i.kind::certpipe.kind, i.rfc, i.door, i.submitted_by, i.is_check,
        now() + interval '3 seconds'
    FROM input i
    WHERE i.key_hash IS NULL OR i.id = ANY (ARRAY(SELECT c.upload_id FROM claims c))
    ORDER BY i.place
    ON CONFLICT (id) DO NOTHING
    RETURNING id, organization_id, is_check
), boxes AS (
    INSERT INTO certpipe.sealed_payloads (upload_id, format, kid, ciphertext)
    SELECT i.id, i.format, i.kid, i.ciphertext
    FROM input i
    WHERE i.id = ANY (ARRAY(SELECT a.id FROM accepted a))
), followed AS (
    INSERT INTO certpipe.followers (upload_id, reply_to, correlation_id)
    SELECT i.id, i.reply_to, i.correlation_id
    FROM input i
    WHERE i.reply_to IS NOT NULL AND i.id = ANY (ARRAY(SELECT a.id FROM accepted a))
), told AS (
    INSERT INTO certpipe.events (subject_id, sequence, organization_id, type, position)
    SELECT id, 0, organization_id, 'upload.received', CASE WHEN is_check THEN 0 END FROM accepted
)
SELECT id FROM accepted

-- name: lock_entries
-- First, in the order of their ids, by whoever brings what must be awaited: `accept` then sees what came before it.
SELECT FROM certpipe.parties WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE

-- name: known
-- What the key or the id stands for already.
SELECT k.fingerprint = $3::bytea AS same_content, u.id, u.epoch,
    u.organization_id = $2::uuid AS same_organization,
    u.party_id IS NOT DISTINCT FROM $5::uuid
        AND u.kind IS NOT DISTINCT FROM $6::text::certpipe.kind
        AND u.is_check = $7::boolean AS same_target
FROM (SELECT) AS one
LEFT JOIN certpipe.idempotency_keys k ON k.organization_id = $2::uuid AND k.key_hash = $4::bytea
LEFT JOIN certpipe.uploads u ON u.id = coalesce(k.upload_id, $1::uuid)
