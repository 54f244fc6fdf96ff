"""Which recording answers which request."""
