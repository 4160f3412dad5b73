"""One file per PAC."""
