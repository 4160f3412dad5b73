-- name: hold
-- Shared, so that a connection that nobody has missed yet does not keep its successor out.
SELECT pg_advisory_lock_shared($1)

-- name: alive
SELECT 1
