"""Log sources -> batches of requests, in bounded memory.

Files are read side by side. Of their lines those are looked at that are unlike any before, while
the files are read on; all others are counted with the first of their kind.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import polars as pl

from recommender.access_logs.alike import NO_KIND, Found, Kinds, kinds_of
from recommender.access_logs.bare_lines import line_shapes, without_bare_lines
from recommender.access_logs.find_logs import find_log_files
from recommender.access_logs.formats import LogFormat, assumed_formats, parse_lines
from recommender.access_logs.known_kinds import LOOKED_AT, KnownKinds
from recommender.access_logs.line_counts import LineCounts, SkippedLines, count_lines, moved
from recommender.access_logs.log_file import STANDARD_INPUT, LogFile
from recommender.access_logs.object_storage import ObjectStorage
from recommender.access_logs.requests import REQUEST_SCHEMA, requests_of
from recommender.access_logs.sections import (
    MOST_ROWS,
    SECTION_BYTES,
    Reading,
    Section,
    SpareKinds,
    read_sections,
)
from recommender.access_logs.wrappers import STORED_SCHEMA, no_parts, unwrap
from recommender.access_logs.writers import SourcePod, with_writers
from recommender.errors import InputError

_BATCH_BYTES: Final = 2 << 20  # what is made of it takes ten times as much
_MOST_LINES: Final = 4_000_000  # seconds, behind which a user wants to hear something
_MOST_KINDS: Final = 1 << 16
_MOST_KIND_BYTES: Final = 32 << 20  # callers can write long names
_AT_ONCE: Final = 2


@dataclass(frozen=True, slots=True)
class LogBatch:
    """Hold some requests, with REQUEST_SCHEMA, and the counts of the lines they come from."""

    requests: pl.DataFrame
    lines: LineCounts


def read_access_logs(
    sources: Sequence[str | Path],
    *,
    stdin: BinaryIO | None = None,
    source_pod: SourcePod | None = None,
    storage: ObjectStorage | None = None,
    formats: Sequence[LogFormat] | None = None,
    batch_bytes: int = _BATCH_BYTES,
    section_bytes: int = SECTION_BYTES,
    new_kinds: Callable[[], Kinds] | None = None,
) -> Iterator[LogBatch]:
    """Read access logs as batches of requests; every line is either a request or counted.

    Args:
        sources: Files, folders, globs, URLs of object storage, and `-` for `stdin`.
        stdin: The standard input.
        source_pod: Namespace and name of the pod that wrote the lines of which neither a wrapper
            nor the path tells it; or the namespace of pods that wrappers name without it.
        storage: What finds and opens objects; without it S3 is found as boto3 does, but no OSS.
        formats: The log formats that lines may have; the known defaults if None.
        batch_bytes: How much text to look at closely at a time, about.
        section_bytes: How large the sections of a large file are that are read side by side.
        new_kinds: Makes what finds lines that are alike to all formats; the best there is if None.

    Raises:
        InputError: Nothing at all can be read.
    """
    storage = storage or ObjectStorage()
    if stdin is None and STANDARD_INPUT in map(str, sources):
        raise InputError("there is no standard input to read", where=STANDARD_INPUT)
    files, lost = find_log_files(sources, storage)
    formats = formats or assumed_formats()
    new_kinds = new_kinds or kinds_of(formats)
    readers = pl.thread_pool_size()
    how = Reading(SpareKinds(new_kinds), stdin, storage, section_bytes, batch_bytes, readers)
    found = _Batches(new_kinds(), batch_bytes).found(read_sections(files, how), lost)
    return _read(found, formats, source_pod)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Hold what was found in some lines.

    Attributes:
        found: The lines to look at, and the rows of kinds.
        files: The files that they are from.
        unfinished: The place of the file of which more is to come, if there is one.
        lost: What was lost among the lines.
        before: Will hold the parts of lines that go on in the batch.
        begun: Will hold those that go on behind it.
        is_last_of_kinds: No later batch has the kinds of this one.
    """

    found: Found
    files: Sequence[LogFile]
    unfinished: int | None
    lost: Sequence[SkippedLines]
    before: Future[pl.DataFrame]
    begun: Future[pl.DataFrame]
    is_last_of_kinds: bool


class _Batches:
    """Make batches of sections, each of about so much text that it is worth to look at it."""

    def __init__(self, kinds: Kinds, batch_bytes: int) -> None:
        self._kinds = kinds
        self._batch_bytes = batch_bytes
        self._files: list[LogFile] = []
        self._is_inside = False
        self._lines = 0  # of the file at hand, before what comes next
        self._held_lines = 0
        self._lost: list[SkippedLines] = []
        self._begun: Future[pl.DataFrame] = Future()
        self._begun.set_result(no_parts())

    def found(
        self, sections: Iterator[Section], skipped: Sequence[SkippedLines]
    ) -> Iterator[_Batch]:
        """Yield what is found in the sections of all files; `skipped` was lost before."""
        self._lost += skipped
        for section in sections:
            self._add(section)
            if self._is_enough():
                yield self._take()
        if self._files or self._lost:
            yield self._take()

    def _is_enough(self) -> bool:
        return (
            self._kinds.line_bytes >= self._batch_bytes
            or self._kinds.rows >= MOST_ROWS
            or self._held_lines >= _MOST_LINES
        )

    def _add(self, section: Section) -> None:
        if not self._is_inside:
            self._files.append(section.file)
        self._kinds.merge(section.kinds, self._lines)
        # The name of a file may end as an example does that has the number of a line.
        self._lost += (
            entry if entry.example == section.file.name else moved(entry, self._lines)
            for entry in section.skipped
        )
        self._lines += section.lines
        self._held_lines += section.lines
        self._is_inside = not section.is_last
        if section.is_last:
            self._kinds.end_file()
            self._lines = 0

    def _take(self) -> _Batch:
        """Take what was found; a file that goes on is the first of the next batch."""
        files, lost, before = self._files, self._lost, self._begun
        self._files = files[-1:] if self._is_inside else []
        self._lost, self._held_lines, self._begun = [], 0, Future()
        found, kinds = self._kinds.take(), self._kinds
        is_enough = kinds.kinds >= _MOST_KINDS or kinds.kind_bytes >= _MOST_KIND_BYTES
        if is_enough:
            self._kinds.forget()
        unfinished = len(files) - 1 if self._is_inside else None
        return _Batch(found, files, unfinished, lost, before, self._begun, is_enough)


def _read(
    batches: Iterator[_Batch], formats: Sequence[LogFormat], source_pod: SourcePod | None
) -> Iterator[LogBatch]:
    """Look at the lines of batches side by side; yield the requests in their order."""
    known = KnownKinds()
    looking: deque[tuple[_Batch, Future[pl.DataFrame]]] = deque()

    def next_read() -> LogBatch:
        batch, looked_at = looking.popleft()
        said = known.read(looked_at.result(), batch.found.rows)
        if batch.is_last_of_kinds:
            known.forget()
        return _log_batch(batch, said, source_pod)

    with ThreadPoolExecutor(_AT_ONCE) as lookers:
        for batch in batches:
            looking.append((batch, lookers.submit(_look_at, batch, formats)))
            if len(looking) > _AT_ONCE:
                yield next_read()
        while looking:
            yield next_read()


def _look_at(batch: _Batch, formats: Sequence[LogFormat]) -> pl.DataFrame:
    """Tell what the lines of a batch say, each by itself, with LOOKED_AT."""
    try:
        lines = _unwrapped(batch, formats)
    except BaseException as error:
        batch.begun.set_exception(error)
        raise
    usable = pl.col("reason").is_null()
    parsed = parse_lines(lines.filter(usable).drop("reason"), formats)
    said = (parsed.filter(~usable), requests_of(parsed.filter(usable)))
    return pl.concat(
        [
            LOOKED_AT.to_frame(),
            lines.filter(~usable).rename({"reason": "wrapper_reason"}).drop("line"),
            *(frame.select(set(frame.columns) & set(LOOKED_AT)) for frame in said),
        ],
        how="diagonal",
    )


def _unwrapped(batch: _Batch, formats: Sequence[LogFormat]) -> pl.DataFrame:
    """Unwrap lines without waiting for the batch before, of which few leave parts of lines."""
    shapes = line_shapes(formats)
    stored, bare = without_bare_lines(batch.found.lines.select(*STORED_SCHEMA), formats, shapes)
    lines, begun = unwrap(stored, no_parts(), batch.unfinished, shapes)
    before = batch.before.result()
    if before.height:
        lines, begun = unwrap(stored, before, batch.unfinished, shapes)
    if bare.height:
        lines = pl.concat([lines, bare])
    kinds = batch.found.lines.select("file", "number", "kind")
    found = lines.join(kinds, on=("file", "number"), how="left", maintain_order="left")
    found = found.with_columns(pl.col("kind").fill_null(NO_KIND))
    # It is the last, as what fails before says so there.
    batch.begun.set_result(begun.with_columns(pl.lit(0, pl.Int64).alias("file")))
    return found


def _log_batch(batch: _Batch, said: pl.DataFrame, source_pod: SourcePod | None) -> LogBatch:
    requests = with_writers(said, batch.files, source_pod)
    usable = pl.col("reason").is_null()
    used = requests.filter(usable).select(*REQUEST_SCHEMA)
    no_use = _skipped(requests.filter(~usable), [file.name for file in batch.files])
    total = used.select(pl.col("requests").sum()).item()
    return LogBatch(used, count_lines(total, [*batch.lost, *no_use]))


def _skipped(no_use: pl.DataFrame, names: list[str]) -> list[SkippedLines]:
    """Count lines by reason; the example is the first by file and number."""
    first = pl.struct("file", "number").sort().first()
    counts = no_use.group_by("reason").agg(pl.col("requests").sum(), first.alias("first"))
    return [
        SkippedLines(reason, lines, f"{names[first['file']]}:{first['number']}")
        for reason, lines, first in counts.iter_rows()
    ]
