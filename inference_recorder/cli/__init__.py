"""The command `inference-recorder`, one module for each of its commands. Needs the extra `cli`."""
