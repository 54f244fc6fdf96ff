"""Real frameworks on top of the OpenAI SDK, recorded and replayed: `python -m tests.compat.frameworks`."""
