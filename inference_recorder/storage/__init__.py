"""Where recordings lie, and how they get there whole."""
