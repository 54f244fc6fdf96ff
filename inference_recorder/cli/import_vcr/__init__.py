"""Cassettes of vcrpy: read, told apart, and their calls recorded anew. Needs the extra `cli`."""
