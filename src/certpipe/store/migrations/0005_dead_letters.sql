-- What ended as `failed`, and what no queue could be rid of: here until an operator replays or drops it, and after.
-- `message`: what may be kept of one that is no upload of ours. `history`: who replayed or dropped it, and when.
CREATE TABLE certpipe.dead_letters (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    upload_id uuid,
    organization_id uuid,
    epoch integer,
    stage text,
    reason text NOT NULL CHECK (reason IN ('failed', 'malformed', 'refused', 'delivery_limit')),
    code text,
    problems jsonb,
    message jsonb,
    digest bytea UNIQUE,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'replayed', 'dropped')),
    died_at timestamptz NOT NULL DEFAULT now(),
    history jsonb NOT NULL DEFAULT '[]',
    CHECK ((reason = 'failed') = (upload_id IS NOT NULL)),
    CHECK ((upload_id IS NULL) = (epoch IS NULL))
);
CREATE UNIQUE INDEX dead_letters_by_upload ON certpipe.dead_letters (upload_id, epoch) WHERE upload_id IS NOT NULL;
CREATE INDEX dead_letters_open ON certpipe.dead_letters (id) WHERE state = 'open';

INSERT INTO certpipe.dead_letters (upload_id, organization_id, epoch, stage, reason, code, problems, died_at)
SELECT u.id, u.organization_id, u.epoch, e.stage, 'failed', e.code, u.problems, u.updated_at
FROM certpipe.uploads u
LEFT JOIN certpipe.events e ON e.subject_id = u.id AND e.sequence = u.epoch
WHERE u.state = 'failed' AND NOT u.is_check
ORDER BY u.updated_at;

-- Uploads that were in hand when a process died, at that epoch. One death may have been anybody's: they go alone in
-- their messages. From two on they are worked on in a process of their own. For as long as an upload is in here its own
-- `due_at` is infinity, and this one counts.
CREATE TABLE certpipe.suspects (
    upload_id uuid PRIMARY KEY,
    epoch integer NOT NULL,
    deaths integer NOT NULL CHECK (deaths >= 1),
    since timestamptz NOT NULL DEFAULT now(),
    due_at timestamptz NOT NULL DEFAULT now()
);
