"""Access logs -> requests: one row per usable line, every other line counted by reason."""

from recommender.access_logs.files import OTHER_CONTAINER
from recommender.access_logs.formats import DIAGNOSTIC
from recommender.access_logs.line_counts import LineCounts, SkippedLines, merge_line_counts
from recommender.access_logs.read import LogBatch, read_access_logs
from recommender.access_logs.requests import FAILURE_FLAGS, REQUEST_SCHEMA, UNKNOWN_POD
from recommender.access_logs.wrappers import EMPTY, OTHER_CONTAINER_RECORD, STANDARD_ERROR

OTHER_OUTPUT = frozenset(
    {DIAGNOSTIC, EMPTY, OTHER_CONTAINER, OTHER_CONTAINER_RECORD, STANDARD_ERROR}
)
"""The reasons for skipping lines that were never meant to be access logs."""

__all__ = [
    "FAILURE_FLAGS",
    "OTHER_OUTPUT",
    "REQUEST_SCHEMA",
    "UNKNOWN_POD",
    "LineCounts",
    "LogBatch",
    "SkippedLines",
    "merge_line_counts",
    "read_access_logs",
]
