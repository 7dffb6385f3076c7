"""Benchmarks: ``bash tests/run bench``. They print figures of this machine and hold nothing to a limit."""
