"""Benchmarks, run by hand: `python -m tests.benchmarks`. Never a timed assertion in the suite."""
