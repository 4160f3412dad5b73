"""One file, one operating-system process, one security context."""
