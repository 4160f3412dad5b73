-- name: lock_party
-- First, as whoever stores a certificate does: the next statement then sees what was stored before it.
SELECT FROM certpipe.parties WHERE id = $1 FOR NO KEY UPDATE

-- name: remove
-- Every change has its event: an upload that is superseded with its certificate makes two steps at once.
WITH removed AS (
    UPDATE certpipe.certificates
    SET replaced_at = now(), removed_at = now()
    WHERE party_id = $1 AND kind = $2::text::certpipe.kind AND replaced_at IS NULL
    RETURNING id, organization_id, party_id, upload_id, version, stored_at, replaced_at, removed_at, facts
), shredded AS (
    DELETE FROM certpipe.parts p USING removed r WHERE p.certificate_id = r.id
), moved AS (
    UPDATE certpipe.uploads u
    SET state = CASE WHEN u.state = 'stored' THEN 'superseded' ELSE u.state END,
        epoch = u.epoch + CASE WHEN u.state = 'stored' THEN 2 ELSE 1 END,
        dispatched_at = NULL,
        due_at = NULL,
        updated_at = now()
    FROM removed r
    WHERE u.id = r.upload_id
    RETURNING u.id, u.epoch, u.organization_id, u.state = 'superseded' AS superseded
), told AS (
    INSERT INTO certpipe.events (subject_id, sequence, organization_id, type)
    SELECT id, CASE WHEN superseded THEN epoch - 1 ELSE epoch END, organization_id, 'certificate.removed' FROM moved
    UNION ALL
    SELECT id, epoch, organization_id, 'upload.superseded' FROM moved WHERE superseded
)
SELECT * FROM removed
