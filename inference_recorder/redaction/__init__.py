"""Secrets: their shapes, how they are found, and the placeholders that replace them."""
