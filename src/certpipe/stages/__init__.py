"""One small class per stage."""
