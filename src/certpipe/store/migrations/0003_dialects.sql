-- An entry waits for an e.firma since it was put last: uploads count that were accepted after `waiting_after`.
ALTER TABLE certpipe.parties
    ADD COLUMN waiting_after bigint NOT NULL DEFAULT 0,
    ADD COLUMN voided_at timestamptz;

-- By the newest upload that counts; what was rejected or overtaken leaves the entry where it was.
CREATE FUNCTION certpipe.entry_state(party uuid, waiting_after bigint, is_void boolean) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE
        WHEN is_void THEN 'void'
        ELSE coalesce((
            SELECT CASE u.state WHEN 'forwarded' THEN 'registered' WHEN 'failed' THEN 'error' ELSE 'processing' END
            FROM certpipe.uploads u
            WHERE u.party_id = party AND u.kind = 'fiel' AND NOT u.is_check AND u.accepted_order > waiting_after
              AND u.state NOT IN ('rejected', 'superseded')
            ORDER BY u.accepted_order DESC
            LIMIT 1
        ), 'waiting')
    END;

-- A certificate that its owner took away was replaced by none.
ALTER TABLE certpipe.certificates
    ADD COLUMN removed_at timestamptz,
    ADD CHECK (removed_at IS NULL OR removed_at = replaced_at);
