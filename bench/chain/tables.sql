CREATE TABLE uploads (
    id uuid PRIMARY KEY,
    party_id uuid NOT NULL,
    kind text NOT NULL,
    state text NOT NULL DEFAULT 'received',
    rfc text,
    number text,
    certificate_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX uploads_open ON uploads (state) WHERE state <> 'forwarded';

CREATE TABLE payloads (
    upload_id uuid PRIMARY KEY,
    certificate bytea NOT NULL,
    private_key bytea NOT NULL,
    password text NOT NULL
);

CREATE TABLE certificates (
    id uuid PRIMARY KEY,
    party_id uuid NOT NULL,
    kind text NOT NULL,
    number text NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now(),
    replaced_at timestamptz
);
CREATE UNIQUE INDEX certificates_active ON certificates (party_id, kind) WHERE replaced_at IS NULL;

CREATE TABLE parts (
    certificate_id uuid NOT NULL,
    part text NOT NULL,
    ciphertext bytea NOT NULL,
    nonce bytea NOT NULL,
    wrapped_key bytea NOT NULL,
    PRIMARY KEY (certificate_id, part)
);
