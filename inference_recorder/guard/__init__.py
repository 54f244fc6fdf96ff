"""Connections past the SDK: refused while a session replays, counted while it records."""
