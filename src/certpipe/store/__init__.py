"""PostgreSQL, the truth."""
