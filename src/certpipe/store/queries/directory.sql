-- name: put_organization
-- The owner comes with the creation only: who may change an organization is the door's question.
WITH organization AS (
    INSERT INTO certpipe.organizations (id, rfc, name) VALUES ($1, $2, $3)
    ON CONFLICT (id) DO UPDATE SET rfc = excluded.rfc, name = excluded.name
    RETURNING id, xmax = 0 AS created
), owner AS (
    INSERT INTO certpipe.members (organization_id, subject, role)
    SELECT id, $4::text, 'owner' FROM organization WHERE created
)
SELECT created FROM organization

-- name: organization
SELECT id, rfc, name FROM certpipe.organizations WHERE id = $1

-- name: organizations
SELECT o.id, o.rfc, o.name
FROM certpipe.members m
JOIN certpipe.organizations o ON o.id = m.organization_id
WHERE m.subject = $1
ORDER BY o.id

-- name: roles
SELECT organization_id, role FROM certpipe.members WHERE subject = $1

-- name: put_party
-- No row comes back when the id belongs to another organization. An entry that is put waits, whatever was before.
INSERT INTO certpipe.parties AS p (id, organization_id, kind, rfc, name) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (id) DO UPDATE
SET kind = excluded.kind, rfc = excluded.rfc, name = excluded.name, voided_at = NULL,
    waiting_after = coalesce((SELECT max(u.accepted_order) FROM certpipe.uploads u WHERE u.party_id = p.id), 0)
WHERE p.organization_id = excluded.organization_id
RETURNING xmax = 0 AS created

-- name: parties_by_id
SELECT id, organization_id, kind, rfc, name FROM certpipe.parties WHERE id = ANY ($1::uuid[])

-- name: parties
SELECT id, organization_id, kind, rfc, name
FROM certpipe.parties
WHERE organization_id = ANY ($1::uuid[])
ORDER BY id

-- name: void_party
UPDATE certpipe.parties SET voided_at = coalesce(voided_at, now()) WHERE id = $1 AND kind = 'entry' RETURNING id

-- name: entry_states
SELECT p.id, certpipe.entry_state(p.id, p.waiting_after, p.voided_at IS NOT NULL) AS state
FROM certpipe.parties p
WHERE p.id = ANY ($1::uuid[]) AND p.kind = 'entry'

-- name: put_producer
INSERT INTO certpipe.producers (username, organization_id, may_send_clear) VALUES ($1, $2, $3)
ON CONFLICT (username) DO UPDATE
SET organization_id = excluded.organization_id, may_send_clear = excluded.may_send_clear

-- name: producer
SELECT username, organization_id, may_send_clear FROM certpipe.producers WHERE username = $1
