"""Sum up an access log with one engine: `python -m benchmarks.log_readers ENGINE FILE`.

Prints as JSON what it took and what was found. Every query is the fastest that was found for its
engine and kind of file among those that no user agent can lead astray.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.measure import Stopwatch, memory

THIS_TOOL, DUCKDB, CHDB, LINE_SCAN = "this-tool", "duckdb", "chdb", "line-scan"

# What tells flows apart in a log, and which requests failed.
FLOW_FIELDS: Final = (
    "upstream_cluster",
    "authority",
    "requested_server_name",
    "downstream_local_address",
    "route_name",
    "response_code",
    "response_flags",
)

# The word of a text line that holds a field, counted from the end that no caller can shift.
_WORDS: Final = {
    "authority": -8,
    "upstream_cluster": -6,
    "downstream_local_address": -4,
    "requested_server_name": -2,
    "route_name": -1,
    "response_code": 5,
    "response_flags": 6,
}
_WORDS_OF_CRI: Final = 3


Reader = Callable[[Path], Any]
"""Reads a file to the flows of this tool, or to rows of a day, FLOW_FIELDS and a number."""


# Each engine is imported here alone, so that no other one's memory counts.
def load_this_tool() -> Reader:
    """Load this tool."""
    from recommender.pipeline import Sources, read_flows
    from recommender.settings import Settings

    return lambda path: read_flows(Sources((path,), ()), Settings(), lambda _: None)


def load_duckdb() -> Reader:
    """Load DuckDB, of an extra that need not be installed."""
    connection = importlib.import_module("duckdb").connect()
    connection.execute("SET preserve_insertion_order = false")
    return lambda path: connection.execute(duckdb_query(path)).fetchall()


def load_chdb() -> Reader:
    """Load chDB, ClickHouse as a library, of an extra that need not be installed."""
    query = importlib.import_module("chdb").query

    def read(path: Path) -> Any:
        rows = json.loads(query(chdb_query(path), "JSONCompact").bytes())["data"]
        return [[*row[:-1], int(row[-1])] for row in rows]

    return read


def load_line_scan() -> Reader:
    """Load Polars, to look at every line and read nothing from it: the lower bound."""
    import polars as pl

    def read(path: Path) -> Any:
        lines = pl.scan_lines(path, name="line").select(pl.col("line").str.len_bytes().sum())
        return lines.collect(engine="streaming")

    return read


READERS: Final[Mapping[str, Callable[[], Reader]]] = {
    THIS_TOOL: load_this_tool,
    DUCKDB: load_duckdb,
    CHDB: load_chdb,
    LINE_SCAN: load_line_scan,
}


def duckdb_query(path: Path) -> str:
    """Write what a user of DuckDB would ask of a file of `benchmarks.log_files`."""
    kind, file = path.parent.name, _quoted(path)
    if kind == "json":
        names = ("start_time", *FLOW_FIELDS)
        types = ", ".join(f"{name}: 'VARCHAR'" for name in names)
        source = (
            f"read_json({file}, columns = {{{types}}}, format = 'newline_delimited', "
            "ignore_errors = true) WHERE start_time IS NOT NULL"
        )
        return _grouped("start_time[:10]", FLOW_FIELDS, source)
    lines = (
        f"read_csv({file}, columns = {{line: 'VARCHAR'}}, delim = '\x01', quote = '', "
        "escape = '', nullstr = '\x02', header = false, auto_detect = false)"
    )
    if kind == "json-cri":
        keys = ", ".join(f"'{name}'" for name in ("start_time", *FLOW_FIELDS))
        source = (
            f"(SELECT json_extract_string(line[strpos(line, ' F {{') + 3:], [{keys}]) AS value "
            f"FROM {lines} WHERE contains(line, ' F {{'))"
        )
        values = [f"value[{place}]" for place in range(2, 2 + len(FLOW_FIELDS))]
        return _grouped("value[1][:10]", values, source)
    words = f"SELECT string_split(line, ' ') AS word FROM {lines}"
    if kind == "text":
        source = f"({words} WHERE line[1] = '[')"
        return _grouped("word[1][2:11]", _words(0), source)
    source = f"({words} WHERE line[strpos(line, ' F ') + 3] = '[')"
    return _grouped("word[4][2:11]", _words(_WORDS_OF_CRI), source)


def chdb_query(path: Path) -> str:
    """Write what a user of ClickHouse would ask of a file of `benchmarks.log_files`."""
    # Blocks that fit a processor's cache are faster by a fifth than blocks of the default size. Of
    # a file that is mapped, as it is by default, every page would count as memory.
    settings = "max_block_size = 4096, storage_file_read_method = 'pread'"
    return f"{_chdb_query(path)} SETTINGS {settings}"


def _chdb_query(path: Path) -> str:
    kind = path.parent.name
    lines = f"file({_quoted(path)}, 'LineAsString', 'line String')"
    if kind.startswith("json"):
        source = f"{lines} WHERE startsWith(line, '{{')"
        if kind == "json-cri":
            source = f"{lines} WHERE position(line, ' F {{') > 0"
        values = [
            f"simpleJSONExtract{'UInt' if name == 'response_code' else 'String'}(line, '{name}')"
            for name in FLOW_FIELDS
        ]
        return _grouped("left(simpleJSONExtractString(line, 'start_time'), 10)", values, source)
    words = f"SELECT splitByChar(' ', line) AS word FROM {lines}"
    if kind == "text":
        source = f"({words} WHERE startsWith(line, '['))"
        return _grouped("substring(word[1], 2, 10)", _words(0), source)
    source = f"({words}) WHERE startsWith(word[4], '[')"
    return _grouped("substring(word[4], 2, 10)", _words(_WORDS_OF_CRI), source)


def _words(before: int) -> list[str]:
    places = (_WORDS[name] for name in FLOW_FIELDS)
    return [f"word[{place + before if place > 0 else place}]" for place in places]


def _grouped(day: str, fields: Sequence[str], source: str) -> str:
    return f"SELECT {day}, {', '.join(fields)}, count(*) FROM {source} GROUP BY ALL"


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def main() -> None:
    """Read the file that is named with the reader that is named."""
    name, path = sys.argv[1], Path(sys.argv[2])
    watch = Stopwatch()
    reader = READERS[name]()
    found = watch.run(name, lambda: reader(path))
    took, peak = watch.measured[0], memory("VmHWM")
    answer = {
        "seconds": took.seconds,
        "processor_seconds": took.processor_seconds,
        "memory_peak": peak,
        "counts": _counts(name, found),
    }
    json.dump(answer, sys.stdout)


def _counts(name: str, found: Any) -> list[list[Any]]:
    """Say what was found, which takes no time that is measured."""
    from benchmarks.log_flows import counts_of_flows, counts_of_rows

    if name == LINE_SCAN:
        return []
    counts = counts_of_flows(found) if name == THIS_TOOL else counts_of_rows(found)
    return [[*key, *count] for key, count in sorted(counts.items())]


if __name__ == "__main__":
    main()
