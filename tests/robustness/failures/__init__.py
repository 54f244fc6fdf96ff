"""Failing calls: which are recorded, what the others leave alone, and who says so."""
