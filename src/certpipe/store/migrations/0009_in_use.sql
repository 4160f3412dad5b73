-- When a living forward process was last known to use the service. It is kept up only while that matters: while one of
-- the process's own is left alone, or another one that is holds uploads.
ALTER TABLE certpipe.services ADD COLUMN seen_at timestamptz NOT NULL DEFAULT now();
