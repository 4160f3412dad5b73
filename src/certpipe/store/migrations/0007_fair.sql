-- Finds who has something due for a stage, and its oldest, past whatever else an organization or a stage has waiting.
-- It counts what is on its way, too. Nothing that has ended is in it.
CREATE INDEX uploads_fair ON certpipe.uploads (organization_id, state, due_at) WHERE due_at IS NOT NULL;
