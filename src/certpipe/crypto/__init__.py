"""Custody: sealing in transit, envelopes at rest, and the keys of both. The public half never reaches the private."""
