"""Generated streams: recorded, live and replayed they are the same, however they are read."""
