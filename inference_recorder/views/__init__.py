"""What a recording says, as a person reads it."""
