-- name: accept
-- One durable statement. Nothing is inserted when the key ($12) or the id ($1) is known: `known` then tells.
-- A key whose first request is not committed yet makes this wait, for as long as lock_timeout allows.
WITH claim AS (
    INSERT INTO certpipe.idempotency_keys (organization_id, key_hash, fingerprint, upload_id)
    SELECT $2::uuid, $12::bytea, $13::bytea, $1::uuid
    WHERE $12::bytea IS NOT NULL AND NOT EXISTS (SELECT FROM certpipe.uploads WHERE id = $1::uuid)
    ON CONFLICT (organization_id, key_hash) DO NOTHING
    RETURNING upload_id
), upload AS (
    INSERT INTO certpipe.uploads (id, organization_id, party_id, kind, rfc, door, submitted_by, is_check, due_at)
    SELECT $1::uuid, $2::uuid, $3::uuid, $4::text::certpipe.kind, $5::text, $6::text, $7::text, $8::boolean,
        now() + interval '3 seconds'
    WHERE $12::bytea IS NULL OR EXISTS (SELECT FROM claim)
    ON CONFLICT (id) DO NOTHING
    RETURNING id, organization_id
), box AS (
    INSERT INTO certpipe.sealed_payloads (upload_id, format, kid, ciphertext)
    SELECT id, $9::text, $10::text, $11::bytea FROM upload
), told AS (
    INSERT INTO certpipe.events (upload_id, sequence, organization_id, type)
    SELECT id, 0, organization_id, 'upload.received' FROM upload
)
SELECT FROM upload

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
