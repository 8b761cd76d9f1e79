"""Access logs -> requests: a row for usable lines that are alike, all others counted by reason."""

from recommender.access_logs.find_logs import OTHER_CONTAINER
from recommender.access_logs.formats import (
    DIAGNOSTIC,
    FORMAT_NAMES_HINT,
    LogFormat,
    formats_as_configured,
    formats_to_try,
    log_format,
)
from recommender.access_logs.line_counts import LineCounts, SkippedLines, merge_line_counts
from recommender.access_logs.object_storage import ObjectStorage, OssAccess, oss_access
from recommender.access_logs.read import LogBatch, read_access_logs
from recommender.access_logs.requests import FAILURE_FLAGS, REQUEST_SCHEMA
from recommender.access_logs.wrappers import EMPTY, OTHER_CONTAINER_RECORD, STANDARD_ERROR
from recommender.access_logs.writers import UNKNOWN_POD, SourcePod

OTHER_OUTPUT = frozenset(
    {DIAGNOSTIC, EMPTY, OTHER_CONTAINER, OTHER_CONTAINER_RECORD, STANDARD_ERROR}
)
"""The reasons for skipping lines that were never meant to be access logs."""

__all__ = [
    "FAILURE_FLAGS",
    "FORMAT_NAMES_HINT",
    "OTHER_OUTPUT",
    "REQUEST_SCHEMA",
    "UNKNOWN_POD",
    "LineCounts",
    "LogBatch",
    "LogFormat",
    "ObjectStorage",
    "OssAccess",
    "SkippedLines",
    "SourcePod",
    "formats_as_configured",
    "formats_to_try",
    "log_format",
    "merge_line_counts",
    "oss_access",
    "read_access_logs",
]
