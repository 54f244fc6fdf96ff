"""README.md and docs/ are run: their files are written, their commands executed, their output compared."""
