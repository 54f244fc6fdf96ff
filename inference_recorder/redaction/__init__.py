"""Secrets: what they look like, how they are found, and what takes their place."""
