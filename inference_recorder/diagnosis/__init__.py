"""Why a request has no recording: the nearest one, the differences, and what to do."""
