-- The services of PACs, known to every forward process and shown to operators. `open_until`: of one that is open, when
-- one upload is to try it; of one that is half open, when that upload, `probe`, is given up for the next.
-- `openings`: how many times on end it was opened; `good`: how many probes it has answered since.
CREATE TABLE certpipe.services (
    name text PRIMARY KEY,
    state text NOT NULL DEFAULT 'closed' CHECK (state IN ('closed', 'open', 'half_open')),
    since timestamptz NOT NULL DEFAULT now(),
    open_until timestamptz NOT NULL DEFAULT now(),
    openings integer NOT NULL DEFAULT 0,
    good integer NOT NULL DEFAULT 0,
    probe uuid,
    code text,
    problems jsonb,
    per_second double precision NOT NULL CHECK (per_second > 0),
    released_until timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- An upload that waits for a service is due at infinity, and the sweeper never sees it.
ALTER TABLE certpipe.uploads ADD COLUMN held_by text;
CREATE INDEX uploads_held ON certpipe.uploads (held_by, id) WHERE held_by IS NOT NULL AND due_at = 'infinity';
