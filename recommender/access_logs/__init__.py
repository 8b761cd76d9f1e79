"""Access logs -> requests: one row per usable line, every other line counted by reason."""

from recommender.access_logs.line_counts import LineCounts, SkippedLines, merge_line_counts
from recommender.access_logs.read import LogBatch, read_access_logs
from recommender.access_logs.requests import FAILURE_FLAGS, REQUEST_SCHEMA

__all__ = [
    "FAILURE_FLAGS",
    "REQUEST_SCHEMA",
    "LineCounts",
    "LogBatch",
    "SkippedLines",
    "merge_line_counts",
    "read_access_logs",
]
