-- name: take
-- No row comes back while another owner's lease lasts.
INSERT INTO certpipe.cursors AS c (name, owner, leased_until) VALUES ($1, $2, $4)
ON CONFLICT (name) DO UPDATE
SET owner = excluded.owner, leased_until = excluded.leased_until
WHERE c.owner IS NULL OR c.owner = excluded.owner OR c.leased_until <= $3
RETURNING position

-- name: advance
-- What is lost with this is told a second time only, so that the commit need not wait for the disk.
UPDATE certpipe.cursors
SET position = $3
WHERE name = $1 AND owner = $2
RETURNING (SELECT set_config('synchronous_commit', 'off', true)) AS relaxed
