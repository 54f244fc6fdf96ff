"""Python processes that tests start."""
