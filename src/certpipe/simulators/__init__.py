"""PACs as real servers, and a SAT-like authority, for development and tests."""
