"""Sealing, opening, envelopes and key providers."""
