"""Log sources -> batches of requests, in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import BinaryIO, Final

import polars as pl

from recommender.access_logs.alike import Columns, Rows, rows_of
from recommender.access_logs.files import (
    PIECE_BYTES,
    STANDARD_INPUT,
    LogFile,
    Piece,
    find_log_files,
    is_large_packed_log,
    read_pieces,
)
from recommender.access_logs.formats import LogFormat, assumed_formats, parse_lines, text_starts
from recommender.access_logs.line_counts import LineCounts, SkippedLines, count_lines, moved
from recommender.access_logs.object_storage import ObjectStorage
from recommender.access_logs.read_ahead import read_ahead
from recommender.access_logs.requests import REQUEST_SCHEMA, requests_of
from recommender.access_logs.sections import (
    SECTION_BYTES,
    Section,
    add_piece,
    can_be_cut,
    read_sections,
)
from recommender.access_logs.wrappers import STORED_SCHEMA, UNESCAPED_STARTS, no_parts, unwrap
from recommender.access_logs.writers import SourcePod, with_writers
from recommender.errors import InputError

_BATCH_BYTES: Final = 8 << 20
_SLICE_BYTES: Final = 2 << 20  # what is made of it takes ten times as much
_SLICES_AT_ONCE: Final = 2
_TIME: Final = "%Y-%m-%dT%H:%M:%S%.fZ"
_ROW_SCHEMA: Final = pl.Schema(
    {
        **STORED_SCHEMA,
        # for how many lines the row stands, and when the first and the last of their requests
        # started; the times are null where it stands for itself alone
        "requests": pl.Int64(),
        "first_time": pl.String(),
        "last_time": pl.String(),
    }
)


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
    slice_bytes: int = _SLICE_BYTES,
    section_bytes: int = SECTION_BYTES,
    new_rows: Callable[[], Rows] | None = None,
) -> Iterator[LogBatch]:
    """Read access logs as batches of requests; every line is either a request or counted.

    Args:
        sources: Files, folders, globs, URLs of object storage, and `-` for `stdin`.
        stdin: The standard input.
        source_pod: Namespace and name of the pod that wrote the lines of which neither a wrapper
            nor the path tells it; or the namespace of pods that wrappers name without it.
        storage: What finds and opens objects; without it S3 is found as boto3 does, but no OSS.
        formats: The log formats that lines may have; the known defaults if None.
        batch_bytes: How much text to hold at a time, about.
        slice_bytes: How much of that to look at closely at a time, about.
        section_bytes: How large the sections of a large file are that are read side by side.
        new_rows: Makes what finds lines that are alike to all formats; the best there is if None.

    Raises:
        InputError: Nothing at all can be read.
    """
    storage = storage or ObjectStorage()
    if stdin is None and STANDARD_INPUT in map(str, sources):
        raise InputError("there is no standard input to read", where=STANDARD_INPUT)
    files, lost = find_log_files(sources, storage)
    formats = formats or assumed_formats()
    new_rows = new_rows or rows_of(formats)
    size = min(batch_bytes, PIECE_BYTES)

    def parts_of(file: LogFile) -> Iterator[Piece | Section]:
        if can_be_cut(file, section_bytes):
            return read_sections(file, new_rows, section_bytes)
        pieces = read_pieces(file, stdin, storage, size=size)
        return read_ahead(pieces) if is_large_packed_log(file) else pieces

    parts = ((file, part) for file in files for part in parts_of(file))
    reader = _Reader(formats, new_rows(), source_pod, batch_bytes, slice_bytes)
    return reader.batches(parts, lost)


@dataclass(frozen=True, slots=True)
class _Slice:
    """Hold rows to look at.

    Attributes:
        rows: The rows, with _ROW_SCHEMA.
        files: The files that they are from.
        unfinished: The place of the file of which more is to come, if there is one.
        before: Will hold the parts of lines that go on in the slice.
        begun: Will hold those that go on behind it.
    """

    rows: pl.DataFrame
    files: Sequence[LogFile]
    unfinished: int | None
    before: Future[pl.DataFrame]
    begun: Future[pl.DataFrame]


class _Reader:
    """Make batches of rows, each of about so much text that it is worth to look at it."""

    def __init__(
        self,
        formats: Sequence[LogFormat],
        rows: Rows,
        source_pod: SourcePod | None,
        batch_bytes: int,
        slice_bytes: int,
    ) -> None:
        self._formats = formats
        self._source_pod = source_pod
        self._batch_bytes = batch_bytes
        self._slice_bytes = slice_bytes
        self._rows = rows
        self._lines = 0
        self._begun = no_parts()
        self._files: list[LogFile] = []
        self._taken: list[pl.DataFrame] = []
        self._taken_bytes = 0
        self._lost: list[SkippedLines] = []

    def batches(
        self, parts: Iterator[tuple[LogFile, Piece | Section]], skipped: Sequence[SkippedLines]
    ) -> Iterator[LogBatch]:
        """Read the parts of all files; `skipped` was lost before."""
        self._lost += skipped
        for file, part in parts:
            if self._files[-1:] != [file]:
                self._files.append(file)
            self._add(part)
            if part.is_last:
                self._take()
                self._rows.end_file()
            if self._taken_bytes + self._rows.size >= self._batch_bytes:
                self._take()
                yield from self._batches(None if part.is_last else len(self._files) - 1)
        if self._files or self._lost:
            yield from self._batches(unfinished=None)

    def _add(self, part: Piece | Section) -> None:
        if isinstance(part, Section):
            self._rows.merge(part.rows, self._lines)
            self._lost += (moved(entry, self._lines) for entry in part.skipped)
            self._lines += part.lines
        else:
            self._lines = add_piece(self._rows, part, self._lines, self._lost)
        if part.is_last:
            self._lines = 0

    def _take(self) -> None:
        """Take the rows of the file that was read last."""
        self._taken_bytes += self._rows.size
        self._taken += _frames(self._rows.take(), len(self._files) - 1, self._slice_bytes)

    def _batches(self, unfinished: int | None) -> Iterator[LogBatch]:
        """Read what was taken, of which one file may be unfinished, two slices at a time."""
        being_read: deque[Future[LogBatch]] = deque()
        files = list(self._files)
        begun: Future[pl.DataFrame] = Future()
        begun.set_result(self._begun)
        with ThreadPoolExecutor(_SLICES_AT_ONCE) as readers:
            for rows, slice_unfinished in self._slices(unfinished):
                if len(being_read) == _SLICES_AT_ONCE:
                    yield being_read.popleft().result()
                before, begun = begun, Future()
                part = _Slice(rows, files, slice_unfinished, before, begun)
                being_read.append(readers.submit(self._read, part, self._lost))
                self._lost = []
            self._files = self._files[-1:] if unfinished is not None else []
            yield from (reading.result() for reading in being_read)
        self._begun = begun.result().with_columns(pl.lit(0, pl.Int64).alias("file"))

    def _slices(self, unfinished: int | None) -> Iterator[tuple[pl.DataFrame, int | None]]:
        """Cut what was taken into slices, each with the file of which it has not all."""
        rows = pl.concat([_ROW_SCHEMA.to_frame(), *self._taken])
        slices = max(1, ceil(self._taken_bytes / self._slice_bytes))
        height = max(1, ceil(rows.height / slices))
        self._taken, self._taken_bytes = [], 0
        for begin in range(0, max(1, rows.height), height):
            part = rows.slice(begin, height)
            is_last = begin + height >= rows.height
            yield part, unfinished if is_last else part["file"][-1]

    def _unwrapped(self, part: _Slice) -> pl.DataFrame:
        """Unwrap a slice without waiting for the one before, of which few leave parts of lines."""
        lines, begun = self._unwrapped_after(part, no_parts())
        before = part.before.result()
        if before.height:
            lines, begun = self._unwrapped_after(part, before)
        part.begun.set_result(begun)
        return _with_likes(with_writers(lines, part.files, self._source_pod), part.rows)

    def _unwrapped_after(
        self, part: _Slice, begun: pl.DataFrame
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        unescaped = (*UNESCAPED_STARTS, *text_starts(self._formats))
        return unwrap(part.rows.select(*STORED_SCHEMA), begun, part.unfinished, unescaped)

    def _read(self, part: _Slice, lost: list[SkippedLines]) -> LogBatch:
        try:
            lines = self._unwrapped(part)
        except BaseException as error:
            part.begun.set_exception(error)
            raise
        names = [file.name for file in part.files]
        usable = pl.col("reason").is_null()
        parsed = parse_lines(lines.filter(usable).drop("reason"), self._formats)
        requests = requests_of(_with_times(parsed.filter(usable)))
        columns = ("file", "number", "reason", "requests")
        no_use = pl.concat(
            frame.filter(~usable).select(columns) for frame in (lines, parsed, requests)
        )
        used = requests.filter(usable).select(*REQUEST_SCHEMA)
        total = used.select(pl.col("requests").sum()).item()
        return LogBatch(used, count_lines(total, [*lost, *_skipped(no_use, names)]))


def _frames(rows: Columns, file: int, slice_bytes: int) -> Iterator[pl.DataFrame]:
    """Make frames of rows, of about so many bytes each: on the way they are there several times."""
    numbers, lines, requests, first_times, last_times = rows
    count = len(lines)
    height = max(1, count * slice_bytes // max(1, sum(map(len, lines))))
    for begin in range(0, count, height):
        part = slice(begin, begin + height)
        columns = numbers[part], lines[part], requests[part], first_times[part], last_times[part]
        yield _frame(columns, file)


def _frame(rows: Columns, file: int) -> pl.DataFrame:
    numbers, lines, requests, first_times, last_times = rows
    return pl.DataFrame(
        {
            "number": numbers,
            "line": _texts(lines),
            "requests": requests,
            "first_time": first_times,
            "last_time": last_times,
        },
        schema={name: kind for name, kind in _ROW_SCHEMA.items() if name != "file"},
    ).select(pl.lit(file, pl.Int64).alias("file"), pl.all())


def _with_likes(lines: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Add to lines how many are like each of them, and when; a line can be of several rows."""
    likes = rows.filter(pl.col("first_time").is_not_null()).drop("line")
    found = lines.join(likes, on=("file", "number"), how="left", maintain_order="left")
    return found.with_columns(pl.col("requests").fill_null(1))


def _with_times(fields: pl.DataFrame) -> pl.DataFrame:
    """Say when the first and the last request started for which a row stands."""
    first, last = (
        pl.col(name).str.to_datetime(_TIME, strict=False, time_unit="ms", time_zone="UTC")
        for name in ("first_time", "last_time")
    )
    start = pl.col("start_time")
    return fields.with_columns(
        pl.coalesce(pl.when(start.is_not_null()).then(first), start).alias("start_time"),
        pl.coalesce(pl.when(start.is_not_null()).then(last), start).alias("last_time"),
    ).drop("first_time")


def _texts(lines: list[bytes]) -> pl.Series:
    """Decode UTF-8, with a sign in place of bytes that are none."""
    try:
        return pl.Series(lines, dtype=pl.Binary).cast(pl.String)
    except (pl.exceptions.ComputeError, pl.exceptions.InvalidOperationError):
        text = _text(b"".join(line + b"\n" for line in lines))
        return text.str.split("\n").explode().head(len(lines))


def _text(data: bytes) -> pl.Series:
    # Slices that fit a processor's cache take a tenth of the time of one text.
    slices = (part.decode("utf-8", "replace").encode() for part in _slices(data, 1 << 14))
    return pl.Series([b"".join(slices)], dtype=pl.Binary).cast(pl.String)


def _slices(data: bytes, size: int) -> Iterator[bytes]:
    """Cut data into slices of at least some size, after line feeds, which end any character."""
    begin = 0
    while begin < len(data):
        end = data.find(b"\n", begin + size) + 1 or len(data)
        yield data[begin:end]
        begin = end


def _skipped(no_use: pl.DataFrame, names: list[str]) -> list[SkippedLines]:
    """Count lines by reason; the example is the first by file and number."""
    first = pl.struct("file", "number").sort().first()
    counts = no_use.group_by("reason").agg(pl.col("requests").sum(), first.alias("first"))
    return [
        SkippedLines(reason, lines, f"{names[first['file']]}:{first['number']}")
        for reason, lines, first in counts.iter_rows()
    ]
