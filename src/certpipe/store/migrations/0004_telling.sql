-- Events get a place in one feed, in the order in which they were committed, and are told from there. Those that were
-- written before, and those of checks, are told to nobody: place 0.
ALTER TABLE certpipe.events RENAME COLUMN upload_id TO subject_id;
ALTER TABLE certpipe.events
    ADD COLUMN position bigint,
    ADD COLUMN destination text,
    ADD COLUMN certificate_id uuid,
    ADD COLUMN problems jsonb;
COMMENT ON COLUMN certpipe.events.subject_id IS 'the upload; of a type endpoint.* the endpoint';
COMMENT ON COLUMN certpipe.events.certificate_id IS 'where it is another than that of the upload';
UPDATE certpipe.events SET position = 0;
CREATE SEQUENCE certpipe.positions;
CREATE INDEX events_unplaced ON certpipe.events (at, sequence) WHERE position IS NULL;
CREATE INDEX events_by_organization ON certpipe.events (organization_id, position) WHERE position > 0;
CREATE INDEX events_by_time ON certpipe.events (organization_id, at) WHERE position > 0;
-- Last: where tables are empty and costs are equal, the planner takes the newest.
CREATE UNIQUE INDEX events_by_position ON certpipe.events (position) WHERE position > 0;
ALTER TABLE certpipe.events SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

-- Destinations that have failed uploads of an organization on end, until one succeeds.
CREATE TABLE certpipe.outages (
    organization_id uuid NOT NULL,
    destination text NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, destination)
);

-- Where the producer of an upload asked to be told of it. `look_at`: when to look whether that has had its time.
CREATE TABLE certpipe.followers (
    upload_id uuid PRIMARY KEY,
    reply_to text NOT NULL,
    correlation_id text,
    look_at timestamptz NOT NULL DEFAULT now() + interval '1 day'
);
CREATE INDEX followers_by_look ON certpipe.followers (look_at);

-- `version` grows with every change of what a sender must know, and numbers the endpoint's own events.
CREATE TABLE certpipe.endpoints (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES certpipe.organizations,
    url text NOT NULL,
    types text[],
    description text NOT NULL,
    header_names text[] NOT NULL,
    headers_kid text NOT NULL,
    headers_sealed bytea NOT NULL,
    public_key text NOT NULL,
    keys_kid text NOT NULL,
    keys_sealed bytea NOT NULL,
    previous_kid text,
    previous_sealed bytea,
    previous_until timestamptz,
    version integer NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,
    failing_since timestamptz,
    paused_until timestamptz,
    disabled_at timestamptz,
    disabled_because text CHECK (disabled_because IN ('gone', 'failing', 'owner')),
    removed_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK ((disabled_at IS NULL) = (disabled_because IS NULL)),
    CHECK ((previous_kid IS NULL) = (previous_until IS NULL) AND (previous_sealed IS NULL) = (previous_until IS NULL))
);
CREATE INDEX endpoints_by_organization ON certpipe.endpoints (organization_id);

-- One event to one endpoint. `due_at`: of a pending one, when it is to be sent (again), or its lease ends;
-- `leased_until`: it is being sent. `attempt` counts all attempts, and guards the settling; `step` those of the present
-- schedule; `log` has the attempts.
CREATE TABLE certpipe.deliveries (
    endpoint_id uuid NOT NULL,
    position bigint NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed')),
    due_at timestamptz,
    leased_until timestamptz,
    attempt integer NOT NULL DEFAULT 0,
    step integer NOT NULL DEFAULT 0,
    log jsonb NOT NULL DEFAULT '[]',
    created_at timestamptz NOT NULL,
    PRIMARY KEY (endpoint_id, position),
    CHECK ((due_at IS NULL) = (state <> 'pending'))
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX deliveries_due ON certpipe.deliveries (endpoint_id, due_at, position) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_failed ON certpipe.deliveries (endpoint_id, position) WHERE state = 'failed';

CREATE TABLE certpipe.cursors (
    name text PRIMARY KEY,
    position bigint NOT NULL DEFAULT 0,
    owner uuid,
    leased_until timestamptz
);

CREATE TABLE certpipe.tickets (
    digest bytea PRIMARY KEY,
    subject text NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX tickets_by_age ON certpipe.tickets (expires_at);
