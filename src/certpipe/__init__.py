"""certpipe: the self-hosted intake for Mexican tax certificates."""

__version__ = "0.1.0"
