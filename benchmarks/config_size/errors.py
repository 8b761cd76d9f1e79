"""What keeps the benchmark from running."""

from __future__ import annotations


class BenchmarkError(Exception):
    """The benchmark cannot be run, or its figures would be worthless; the message says why."""
