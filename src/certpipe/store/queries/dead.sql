-- name: bury
INSERT INTO certpipe.dead_letters (reason, stage, code, problems, message, digest)
SELECT i.reason, i.stage, i.code, i.problems, i.message, i.digest
FROM unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::jsonb[], $6::bytea[])
    WITH ORDINALITY AS i (reason, stage, code, problems, message, digest, place)
ORDER BY i.place
ON CONFLICT DO NOTHING

-- name: letter_columns
SELECT l.id, l.state, l.reason, l.died_at, l.upload_id, l.organization_id, l.epoch, l.stage, l.code, l.problems, l.message,
    l.history
FROM certpipe.dead_letters l

-- name: letter
-- with: letter_columns
WHERE l.id = $1

-- name: open
-- Newest first, by the index of those that nobody has dealt with.
-- with: letter_columns
WHERE l.state = 'open' AND l.id < $1
  AND ($2::text IS NULL OR l.stage = $2) AND ($3::text IS NULL OR l.code = $3)
  AND ($4::timestamptz IS NULL OR l.died_at >= $4)
ORDER BY l.id DESC
LIMIT $5

-- name: every
-- with: letter_columns
WHERE l.id < $1
  AND ($2::text IS NULL OR l.stage = $2) AND ($3::text IS NULL OR l.code = $3)
  AND ($4::timestamptz IS NULL OR l.died_at >= $4) AND ($6::text IS NULL OR l.state = $6)
ORDER BY l.id DESC
LIMIT $5

-- name: next_open
-- One slice of those to replay, the oldest first.
SELECT l.id
FROM certpipe.dead_letters l
WHERE l.state = 'open' AND l.id > $1 AND l.upload_id IS NOT NULL
  AND ($2::text IS NULL OR l.stage = $2) AND ($3::text IS NULL OR l.code = $3)
  AND ($4::timestamptz IS NULL OR l.died_at >= $4)
ORDER BY l.id
LIMIT $5

-- name: replay
-- An upload goes on from the stage that failed when it still has what that needs: its box up to encrypt, its parts after.
-- What a newer upload has overtaken does not. Of each letter that was asked for the verdict; null: it goes on. One that
-- died in quarantine goes there again, and takes no worker down meanwhile.
WITH asked AS MATERIALIZED (
    SELECT l.id, l.upload_id, l.stage, l.state, l.code
    FROM certpipe.dead_letters l
    WHERE l.id = ANY ($1::bigint[])
    ORDER BY l.id
    FOR NO KEY UPDATE
), held AS MATERIALIZED (
    SELECT u.id, u.party_id, u.kind, u.accepted_order, u.certificate_id
    FROM certpipe.uploads u
    WHERE u.id = ANY (ARRAY(SELECT a.upload_id FROM asked a WHERE a.state = 'open')) AND u.state = 'failed'
    ORDER BY u.id
    FOR NO KEY UPDATE
), judged AS MATERIALIZED (
    SELECT a.id AS letter, a.upload_id, a.stage, a.code,
        CASE a.stage
            WHEN 'validate' THEN 'received' WHEN 'encrypt' THEN 'validated' WHEN 'persist' THEN 'encrypted'
            WHEN 'forward' THEN 'stored'
        END AS start,
        CASE
            WHEN a.state <> 'open' THEN 'letter_closed'
            WHEN a.upload_id IS NULL THEN 'nothing_left'
            WHEN h.id IS NULL THEN 'letter_closed'
            WHEN (
                SELECT max(c.accepted_order)
                FROM certpipe.certificates c
                WHERE c.party_id = h.party_id AND c.kind = h.kind
            ) > h.accepted_order THEN 'newer_won'
            WHEN a.stage IN ('validate', 'encrypt') AND (
                SELECT p.upload_id FROM certpipe.sealed_payloads p WHERE p.upload_id = h.id LIMIT 1
            ) IS NOT NULL THEN NULL
            WHEN a.stage IN ('persist', 'forward') AND (
                SELECT p.certificate_id FROM certpipe.parts p WHERE p.certificate_id = h.certificate_id LIMIT 1
            ) IS NOT NULL THEN NULL
            ELSE 'nothing_left'
        END AS verdict
    FROM asked a
    LEFT JOIN held h ON h.id = a.upload_id
), moved AS (
    UPDATE certpipe.uploads u
    SET state = j.start::certpipe.state, epoch = u.epoch + 1, attempt = 0, problems = NULL, updated_at = now(),
        dispatched_at = CASE WHEN j.code = 'poisonous' THEN now() END,
        due_at = CASE WHEN j.code = 'poisonous' THEN 'infinity' ELSE now() END
    FROM judged j
    WHERE u.id = j.upload_id AND j.verdict IS NULL
    RETURNING u.id, u.epoch, u.organization_id, j.stage, j.code
), told AS (
    INSERT INTO certpipe.events (subject_id, sequence, organization_id, type, stage)
    SELECT id, epoch, organization_id, 'upload.replayed', stage FROM moved
), apart AS (
    INSERT INTO certpipe.suspects (upload_id, epoch, deaths)
    SELECT id, epoch, 2 FROM moved WHERE code = 'poisonous'
    ON CONFLICT (upload_id) DO UPDATE SET epoch = excluded.epoch, deaths = 2, due_at = now()
), noted AS (
    UPDATE certpipe.dead_letters l
    SET state = 'replayed',
        history = l.history || jsonb_build_object('act', 'replayed', 'by', $2::text, 'at', now())
    FROM judged j
    WHERE l.id = j.letter AND j.verdict IS NULL
)
SELECT letter, verdict FROM judged ORDER BY letter

-- name: drop
-- The parts of a certificate that is stored stay: they are its party's.
WITH asked AS MATERIALIZED (
    SELECT l.id, l.upload_id
    FROM certpipe.dead_letters l
    WHERE l.id = $1 AND l.state = 'open'
    FOR NO KEY UPDATE
), held AS MATERIALIZED (
    SELECT u.id, u.certificate_id
    FROM certpipe.uploads u
    WHERE u.id = ANY (ARRAY(SELECT a.upload_id FROM asked a)) AND u.state = 'failed'
    FOR NO KEY UPDATE
), shredded AS (
    DELETE FROM certpipe.sealed_payloads p USING held h WHERE p.upload_id = h.id
), discarded AS (
    DELETE FROM certpipe.parts p
    USING held h
    WHERE p.certificate_id = h.certificate_id
      AND (SELECT c.id FROM certpipe.certificates c WHERE c.id = h.certificate_id LIMIT 1) IS NULL
)
UPDATE certpipe.dead_letters l
SET state = 'dropped',
    message = l.message - 'sealed',
    history = l.history || jsonb_build_object('act', 'dropped', 'by', $2::text, 'at', now())
FROM asked a
WHERE l.id = a.id
RETURNING l.id
