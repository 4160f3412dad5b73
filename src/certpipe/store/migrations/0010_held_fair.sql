-- Finds whose uploads wait for a service, and the first of each, past whatever else another organization has waiting there.
CREATE INDEX uploads_held_fair ON certpipe.uploads (held_by, organization_id, id)
    WHERE held_by IS NOT NULL AND due_at = 'infinity';
