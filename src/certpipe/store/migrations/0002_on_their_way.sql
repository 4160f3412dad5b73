-- Finds what is on its way to the destinations for one party, however many uploads that party had before.
CREATE INDEX uploads_on_their_way ON certpipe.uploads (party_id, kind)
    WHERE due_at IS NOT NULL AND certificate_id IS NOT NULL;
