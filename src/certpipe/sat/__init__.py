"""The domain: proving SAT certificates. No I/O, no framework."""
