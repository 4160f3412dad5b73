-- name: hint
-- Losing a hint costs promptness only, so that its commit need not wait for the disk.
SELECT set_config('synchronous_commit', 'off', true), pg_notify('certpipe', '')

-- name: alive
SELECT 1
