-- name: issue
INSERT INTO certpipe.tickets (digest, subject, expires_at) VALUES ($1, $2, $3)

-- name: take
DELETE FROM certpipe.tickets WHERE digest = $1 RETURNING subject, expires_at > $2 AS valid
