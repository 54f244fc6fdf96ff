"""The recording file: its bytes, and what they mean."""
