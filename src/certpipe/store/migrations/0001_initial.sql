-- Everything of certpipe lives in this schema, so that one look tells what is ours.
-- Rows that are only ever written together with their upload's guarded row (boxes, parts, events, hand-offs) carry no
-- foreign key: the same statement writes both, and a check per row would cost the hot path for nothing.

CREATE TYPE certpipe.state AS ENUM (
    'received', 'validated', 'encrypted', 'stored', 'forwarded', 'rejected', 'failed', 'superseded'
);
CREATE TYPE certpipe.kind AS ENUM ('fiel', 'csd');

CREATE TABLE certpipe.organizations (
    id uuid PRIMARY KEY,
    rfc text NOT NULL,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE certpipe.members (
    organization_id uuid NOT NULL REFERENCES certpipe.organizations,
    subject text NOT NULL,
    role text NOT NULL CHECK (role IN ('owner', 'admin', 'member')),
    PRIMARY KEY (subject, organization_id)
);

CREATE TABLE certpipe.parties (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES certpipe.organizations,
    kind text NOT NULL CHECK (kind IN ('entry', 'branch', 'organization')),
    rfc text NOT NULL,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (organization_id, id)
);

CREATE TABLE certpipe.producers (
    username text PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES certpipe.organizations,
    may_send_clear boolean NOT NULL
);

-- An ended upload is never due again. A check ends when it is validated.
CREATE FUNCTION certpipe.ended(state certpipe.state, is_check boolean) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN state IN ('forwarded', 'rejected', 'failed', 'superseded') OR (is_check AND state = 'validated');

-- The upload row is the outbox too: `due_at` says when the sweeper is to publish it (again).
CREATE TABLE certpipe.uploads (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES certpipe.organizations,
    party_id uuid,
    kind certpipe.kind,
    rfc text,
    door text NOT NULL,
    submitted_by text NOT NULL,
    is_check boolean NOT NULL,
    accepted_order bigint GENERATED ALWAYS AS IDENTITY,
    state certpipe.state NOT NULL DEFAULT 'received',
    epoch integer NOT NULL DEFAULT 0 CHECK (epoch >= 0),
    attempt integer NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    dispatched_at timestamptz,
    due_at timestamptz,
    certificate_id uuid,
    facts jsonb,
    problems jsonb,
    warnings jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (organization_id, party_id) REFERENCES certpipe.parties (organization_id, id),
    CHECK (is_check OR (party_id IS NOT NULL AND kind IS NOT NULL)),
    CHECK ((due_at IS NULL) = certpipe.ended(state, is_check)),
    CHECK (certificate_id IS NOT NULL OR state NOT IN ('encrypted', 'stored', 'forwarded'))
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

CREATE INDEX uploads_due ON certpipe.uploads (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX uploads_by_organization ON certpipe.uploads (organization_id, id);
CREATE INDEX uploads_by_party ON certpipe.uploads (party_id, id);
CREATE INDEX uploads_checks ON certpipe.uploads (created_at) WHERE is_check;

-- Sealed bundles, for as long as they may be needed. Ciphertext does not compress: EXTERNAL saves the attempt.
CREATE TABLE certpipe.sealed_payloads (
    upload_id uuid PRIMARY KEY,
    format text NOT NULL CHECK (format IN ('hpke', 'jwe')),
    kid text NOT NULL,
    ciphertext bytea NOT NULL
);
ALTER TABLE certpipe.sealed_payloads ALTER COLUMN ciphertext SET STORAGE EXTERNAL;

CREATE TABLE certpipe.certificates (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    party_id uuid NOT NULL REFERENCES certpipe.parties,
    kind certpipe.kind NOT NULL,
    upload_id uuid NOT NULL UNIQUE,
    version integer NOT NULL CHECK (version >= 1),
    accepted_order bigint NOT NULL,
    facts jsonb NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now(),
    replaced_at timestamptz,
    UNIQUE (party_id, kind, version)
);
CREATE UNIQUE INDEX certificates_active ON certpipe.certificates (party_id, kind) WHERE replaced_at IS NULL;
CREATE INDEX certificates_by_organization ON certpipe.certificates (organization_id, id);
CREATE INDEX certificates_by_party ON certpipe.certificates (party_id, id);

-- Each part under a data key of its own. What wraps the key stands apart, so that rotation touches no ciphertext.
CREATE TABLE certpipe.parts (
    certificate_id uuid NOT NULL,
    part text NOT NULL CHECK (part IN ('certificate', 'private_key', 'password')),
    version integer NOT NULL,
    ciphertext bytea NOT NULL,
    nonce bytea NOT NULL,
    commitment bytea NOT NULL,
    wrapped_key bytea NOT NULL,
    key_id text NOT NULL,
    key_version integer NOT NULL,
    PRIMARY KEY (certificate_id, part)
);
ALTER TABLE certpipe.parts ALTER COLUMN ciphertext SET STORAGE EXTERNAL;

-- What may have been sent (the intent, recorded first) and what the destination answered (the receipt).
CREATE TABLE certpipe.handoffs (
    upload_id uuid NOT NULL,
    destination text NOT NULL,
    intended_at timestamptz NOT NULL DEFAULT now(),
    received_at timestamptz,
    confirmed_by text CHECK (confirmed_by IN ('answer', 'lookup')),
    reference text,
    PRIMARY KEY (upload_id, destination),
    CHECK ((received_at IS NULL) = (confirmed_by IS NULL))
);

-- The primary key is what makes a step unique: an event's sequence is the epoch that it made.
CREATE TABLE certpipe.events (
    upload_id uuid NOT NULL,
    sequence integer NOT NULL,
    organization_id uuid NOT NULL,
    type text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    stage text,
    code text,
    attempt integer,
    PRIMARY KEY (upload_id, sequence)
);

CREATE TABLE certpipe.idempotency_keys (
    organization_id uuid NOT NULL,
    key_hash bytea NOT NULL,
    fingerprint bytea NOT NULL,
    upload_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, key_hash)
);
CREATE INDEX idempotency_keys_by_age ON certpipe.idempotency_keys (created_at);
