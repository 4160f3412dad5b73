-- name: upload_columns
-- next_at: of what is dispatched, `due_at` only says when the reconciler looks.
SELECT u.id, u.organization_id, u.party_id, u.kind::text AS kind, u.state::text AS state,
    certpipe.ended(u.state, u.is_check) AS ended, u.epoch, u.attempt, u.created_at, u.updated_at,
    CASE WHEN u.dispatched_at IS NULL THEN u.due_at END AS next_at,
    u.certificate_id, u.facts, u.problems, u.warnings,
    (
        SELECT coalesce(json_agg(json_build_object(
            'sequence', e.sequence, 'type', e.type, 'at', e.at, 'stage', e.stage, 'code', e.code, 'attempt', e.attempt,
            'destination', e.destination
        ) ORDER BY e.sequence), '[]')
        FROM certpipe.events e
        WHERE e.subject_id = u.id
    ) AS history,
    (
        SELECT coalesce(json_agg(json_build_object(
            'destination', h.destination, 'at', h.received_at, 'reference', h.reference, 'confirmed_by', h.confirmed_by
        ) ORDER BY h.destination), '[]')
        FROM certpipe.handoffs h
        WHERE h.upload_id = u.id AND h.received_at IS NOT NULL
    ) AS receipts

-- name: upload
-- with: upload_columns
FROM certpipe.uploads u
WHERE u.id = $1 AND u.organization_id = ANY ($2::uuid[]) AND NOT u.is_check

-- name: uploads_by_organization
-- Each organization's newest first, by its index, then the newest of those.
-- with: upload_columns
FROM (
    SELECT each.id
    FROM unnest($1::uuid[]) AS o (id)
    CROSS JOIN LATERAL (
        SELECT c.id
        FROM certpipe.uploads c
        WHERE c.organization_id = o.id AND c.id < $3::uuid AND NOT c.is_check
          AND ($2::text IS NULL OR c.state = $2::text::certpipe.state)
        ORDER BY c.id DESC
        LIMIT $4
    ) AS each
    ORDER BY each.id DESC
    LIMIT $4
) AS page
JOIN certpipe.uploads u ON u.id = page.id
ORDER BY u.id DESC

-- name: uploads_by_party
-- with: upload_columns
FROM certpipe.uploads u
WHERE u.party_id = $5 AND u.id < $3::uuid AND NOT u.is_check
  AND ($2::text IS NULL OR u.state = $2::text::certpipe.state)
  AND u.organization_id = ANY ($1::uuid[])
ORDER BY u.id DESC
LIMIT $4

-- name: certificate
SELECT id, organization_id, party_id, upload_id, version, stored_at, replaced_at, removed_at, facts
FROM certpipe.certificates
WHERE id = $1 AND organization_id = ANY ($2::uuid[])

-- name: active_certificate
SELECT id, organization_id, party_id, upload_id, version, stored_at, replaced_at, removed_at, facts
FROM certpipe.certificates
WHERE party_id = $1 AND kind = $2::text::certpipe.kind AND replaced_at IS NULL AND organization_id = ANY ($3::uuid[])

-- name: certificates_by_organization
SELECT each.*
FROM unnest($1::uuid[]) AS o (id)
CROSS JOIN LATERAL (
    SELECT c.id, c.organization_id, c.party_id, c.upload_id, c.version, c.stored_at, c.replaced_at, c.removed_at, c.facts
    FROM certpipe.certificates c
    WHERE c.organization_id = o.id AND c.id < $2::uuid
    ORDER BY c.id DESC
    LIMIT $3
) AS each
ORDER BY each.id DESC
LIMIT $3

-- name: certificates_by_party
SELECT id, organization_id, party_id, upload_id, version, stored_at, replaced_at, removed_at, facts
FROM certpipe.certificates
WHERE party_id = $4 AND id < $2::uuid AND organization_id = ANY ($1::uuid[])
ORDER BY id DESC
LIMIT $3

-- name: take_check
WITH gone AS (
    DELETE FROM certpipe.uploads u
    WHERE u.id = $1 AND u.is_check AND certpipe.ended(u.state, u.is_check)
    RETURNING u.id, u.state, u.facts, u.problems, u.warnings
), untold AS (
    DELETE FROM certpipe.events e USING gone g WHERE e.subject_id = g.id
), unsealed AS (
    DELETE FROM certpipe.sealed_payloads p USING gone g WHERE p.upload_id = g.id
)
SELECT state::text AS state, facts, problems, warnings FROM gone

-- name: sequences
SELECT id, epoch, certpipe.ended(state, is_check) AS ended, state::text AS state
FROM certpipe.uploads
WHERE id = ANY ($1::uuid[])
