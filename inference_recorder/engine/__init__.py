"""Decides what happens to a request. Knows no SDK."""
