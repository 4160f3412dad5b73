"""The benchmark: certpipe beside a Celery chain that does the same work, in one run, on this machine alone."""
