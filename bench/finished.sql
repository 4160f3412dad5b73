-- $1: the organization; $2: how many uploads; $3: how many parties they are of. All have been forwarded, one after
-- another over ninety days, and told to one endpoint and by AMQP.

-- name: organization
INSERT INTO certpipe.organizations (id, rfc, name) VALUES ($1, 'EKU9003173C9', 'ESCUELA KEMPER URGATE')

-- name: parties
INSERT INTO certpipe.parties (id, organization_id, kind, rfc, name)
SELECT ('0197c001-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, $1, 'branch', 'EKU9003173C9', 'Sucursal'
FROM generate_series(0, $2::integer - 1) AS n

-- name: uploads
INSERT INTO certpipe.uploads (
    id, organization_id, party_id, kind, door, submitted_by, is_check, state, epoch, certificate_id, facts, created_at,
    updated_at
)
SELECT ('0197c002-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, $1,
    ('0197c001-0000-7000-8000-' || lpad(to_hex(n % $3::integer), 12, '0'))::uuid, 'csd', 'http', 'somebody', false,
    'forwarded', 5, ('0197c003-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, '{"rfc": "EKU9003173C9"}',
    now() - interval '90 days' * (1 - n::float8 / $2), now() - interval '90 days' * (1 - n::float8 / $2)
FROM generate_series(0, $2::integer - 1) AS n

-- name: certificates
INSERT INTO certpipe.certificates (
    id, organization_id, party_id, kind, upload_id, version, accepted_order, facts, stored_at, replaced_at
)
SELECT ('0197c003-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, $1,
    ('0197c001-0000-7000-8000-' || lpad(to_hex(n % $3::integer), 12, '0'))::uuid, 'csd',
    ('0197c002-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, n / $3 + 1, n, '{"rfc": "EKU9003173C9"}',
    now() - interval '90 days', CASE WHEN n < $2 - $3 THEN now() - interval '80 days' END
FROM generate_series(0, $2::integer - 1) AS n

-- name: handoffs
INSERT INTO certpipe.handoffs (upload_id, destination, intended_at, received_at, confirmed_by, reference)
SELECT ('0197c002-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'sw', now() - interval '80 days',
    now() - interval '80 days', 'answer', 'ref'
FROM generate_series(0, $1::integer - 1) AS n

-- name: events
INSERT INTO certpipe.events (subject_id, sequence, organization_id, type, at, stage, position)
SELECT ('0197c002-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, s, $1,
    (ARRAY['upload.received', 'upload.validated', 'upload.encrypted', 'upload.stored', 'destination.forwarded',
        'upload.forwarded'])[s + 1],
    now() - interval '90 days' * (1 - n::float8 / $2),
    (ARRAY[NULL, 'validate', 'encrypt', 'persist', 'forward', 'forward'])[s + 1], n * 6 + s + 1
FROM generate_series(0, $2::integer - 1) AS n
CROSS JOIN generate_series(0, 5) AS s

-- name: positions
SELECT setval('certpipe.positions', greatest($1::bigint, 1))

-- name: cursor
INSERT INTO certpipe.cursors (name, position) VALUES ('amqp', $1)

-- name: endpoint
INSERT INTO certpipe.endpoints (
    id, organization_id, url, types, description, header_names, headers_kid, headers_sealed, public_key, keys_kid,
    keys_sealed, created_at, updated_at
)
VALUES (
    '0197c004-0000-7000-8000-000000000000', $1, 'https://example.com/', ARRAY['upload.forwarded'], '', '{}', 'k', '',
    'whpk_', 'k', '', now(), now()
)

-- name: deliveries
INSERT INTO certpipe.deliveries (endpoint_id, position, state, attempt, created_at)
SELECT '0197c004-0000-7000-8000-000000000000', n * 6 + 6, 'delivered', 1, now()
FROM generate_series(0, $1::integer - 1) AS n
