-- Which process made the last attempt: it holds the advisory lock of this number for as long as it lives.
ALTER TABLE certpipe.handoffs ADD COLUMN sender bigint;
