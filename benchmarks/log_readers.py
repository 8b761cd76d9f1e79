"""Sum up access logs with one engine: `python -m benchmarks.log_readers ENGINE PATH FOUND`.

Reads a file of one pod, or a folder with those of many. Prints as JSON what it took, and writes to
FOUND which flows there are.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.log_queries import FLOW_FIELDS, chdb_query, duckdb_query, files_of
from benchmarks.measure import Stopwatch, memory

if TYPE_CHECKING:
    import polars as pl

THIS_TOOL, DUCKDB, CHDB, LINE_SCAN = "this-tool", "duckdb", "chdb", "line-scan"

Reader = Callable[[], Any]
"""Reads to what the engine has where another program would go on."""


# Each engine is imported here alone, so that no other one's memory counts.
def load_this_tool(path: Path) -> Reader:
    """Load this tool."""
    from recommender.pipeline import Sources, read_flows
    from recommender.settings import Settings

    return lambda: read_flows(Sources((path,), ()), Settings(), lambda _: None)


def load_duckdb(path: Path) -> Reader:
    """Load DuckDB, of an extra that need not be installed."""
    connection = importlib.import_module("duckdb").connect()
    connection.execute("SET preserve_insertion_order = false")
    query = duckdb_query(path)
    if path.is_file():
        return lambda: connection.execute(query).fetchall()
    # To make Python's rows of the flows of many pods takes a tenth of the time.
    importlib.import_module("pyarrow")
    return lambda: connection.sql(query).to_arrow_table()


def load_chdb(path: Path) -> Reader:
    """Load chDB, ClickHouse as a library, of an extra that need not be installed."""
    query = importlib.import_module("chdb").query
    return lambda: query(chdb_query(path), "Arrow").bytes()


def load_line_scan(path: Path) -> Reader:
    """Load Polars, to look at every line and read nothing from it: the lower bound."""
    import polars as pl

    def read() -> Any:
        lines = pl.scan_lines(files_of(path), name="line")
        return lines.select(pl.col("line").str.len_bytes().sum()).collect(engine="streaming")

    return read


READERS: Final[Mapping[str, Callable[[Path], Reader]]] = {
    THIS_TOOL: load_this_tool,
    DUCKDB: load_duckdb,
    CHDB: load_chdb,
    LINE_SCAN: load_line_scan,
}


def main() -> None:
    """Read what is named with the reader that is named."""
    name, path, found_file = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    watch = Stopwatch()
    reader = READERS[name](path)
    found = watch.run(name, reader)
    took, peak = watch.measured[0], memory("VmHWM")
    if name != LINE_SCAN:
        counts_found(name, path, found).write_parquet(found_file)
    answer = {
        "seconds": took.seconds,
        "processor_seconds": took.processor_seconds,
        "memory_peak": peak,
    }
    json.dump(answer, sys.stdout)


def counts_found(name: str, path: Path, found: Any) -> pl.DataFrame:
    """Sum up what an engine found, which takes no time that is measured."""
    from benchmarks.log_flows import counts_of_flows, counts_of_rows

    return counts_of_flows(found) if name == THIS_TOOL else counts_of_rows(_rows(path, found))


def _rows(path: Path, found: Any) -> pl.DataFrame:
    """Make a frame of rows that have no names yet, and tell the pod if they do not."""
    import polars as pl

    if isinstance(found, bytes):
        frame = pl.read_ipc(found)
    elif isinstance(found, list):
        frame = pl.DataFrame(found, orient="row", infer_schema_length=None)
    else:
        frame = pl.DataFrame(found)
    if path.is_file():
        frame = frame.select(pl.lit(path.name.partition("_")[0]).alias("pod"), pl.all())
    names = ("pod", "day", *FLOW_FIELDS, "requests")
    return frame.rename(dict(zip(frame.columns, names, strict=True)))


if __name__ == "__main__":
    main()
