"""The recordings over HTTP: keys, faults, hostile requests, crowds; `python -m tests.server.load` measures."""
