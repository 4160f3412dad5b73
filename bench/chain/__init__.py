"""The peer: the four stages as a Celery chain, as a competent engineer would write it on a normal day."""
