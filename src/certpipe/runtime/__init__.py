"""Receive, batch, run, settle; and the sweeper."""
