"""What users of DuckDB and ClickHouse would ask of the logs of `benchmarks.log_files`.

Every query is the fastest that was found for its engine and kind of file among those that no user
agent can lead astray. Of a folder with the logs of many pods it tells the pod too, by the name of
the file: cut to the pod before rows are grouped, it takes a tenth less time than the whole name.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

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


def kind_of(path: Path) -> str:
    """Say in which format a file is, or all files of a folder."""
    return path.name if path.is_dir() else path.parent.name


def files_of(path: Path) -> Path:
    """Name the file, or by a glob those of a folder."""
    return path / "*" if path.is_dir() else path


def duckdb_query(path: Path) -> str:
    """Write what a user of DuckDB would ask of a file or a folder."""
    kind, files = kind_of(path), _quoted(files_of(path))
    pod = ["split_part(parse_filename(filename), '_', 1)"] if path.is_dir() else []
    if kind == "json":
        names = ("start_time", *FLOW_FIELDS)
        types = ", ".join(f"{name}: 'VARCHAR'" for name in names)
        source = (
            f"read_json({files}, columns = {{{types}}}, format = 'newline_delimited', "
            "ignore_errors = true, filename = true) WHERE start_time IS NOT NULL"
        )
        return _grouped([*pod, "start_time[:10]", *FLOW_FIELDS], source)
    lines = (
        f"read_csv({files}, columns = {{line: 'VARCHAR'}}, delim = '\x01', quote = '', "
        "escape = '', nullstr = '\x02', header = false, auto_detect = false, filename = true)"
    )
    if kind == "json-cri":
        keys = ", ".join(f"'{name}'" for name in ("start_time", *FLOW_FIELDS))
        source = (
            f"(SELECT filename, json_extract_string(line[strpos(line, ' F {{') + 3:], [{keys}]) "
            f"AS value FROM {lines} WHERE contains(line, ' F {{'))"
        )
        values = [f"value[{place}]" for place in range(2, 2 + len(FLOW_FIELDS))]
        return _grouped([*pod, "value[1][:10]", *values], source)
    words = f"SELECT filename, string_split(line, ' ') AS word FROM {lines}"
    if kind == "text":
        source = f"({words} WHERE line[1] = '[')"
        return _grouped([*pod, "word[1][2:11]", *_words(0)], source)
    source = f"({words} WHERE line[strpos(line, ' F ') + 3] = '[')"
    return _grouped([*pod, "word[4][2:11]", *_words(_WORDS_OF_CRI)], source)


def chdb_query(path: Path) -> str:
    """Write what a user of ClickHouse would ask of a file or a folder."""
    # Blocks that fit a processor's cache are faster by a fifth than blocks of the default size. Of
    # a file that is mapped, as it is by default, every page would count as memory.
    settings = "max_block_size = 4096, storage_file_read_method = 'pread'"
    return f"{_chdb_query(path)} SETTINGS {settings}"


def _chdb_query(path: Path) -> str:
    kind = kind_of(path)
    lines = f"file({_quoted(files_of(path))}, 'LineAsString', 'line String')"
    pod = ["splitByChar('_', _file)[1]"] if path.is_dir() else []
    if kind.startswith("json"):
        source = f"{lines} WHERE startsWith(line, '{{')"
        if kind == "json-cri":
            source = f"{lines} WHERE position(line, ' F {{') > 0"
        values = [
            f"simpleJSONExtract{'UInt' if name == 'response_code' else 'String'}(line, '{name}')"
            for name in FLOW_FIELDS
        ]
        day = "left(simpleJSONExtractString(line, 'start_time'), 10)"
        return _grouped([*pod, day, *values], source)
    words = f"SELECT _file, splitByChar(' ', line) AS word FROM {lines}"
    if kind == "text":
        source = f"({words} WHERE startsWith(line, '['))"
        return _grouped([*pod, "substring(word[1], 2, 10)", *_words(0)], source)
    source = f"({words}) WHERE startsWith(word[4], '[')"
    return _grouped([*pod, "substring(word[4], 2, 10)", *_words(_WORDS_OF_CRI)], source)


def _words(before: int) -> list[str]:
    places = (_WORDS[name] for name in FLOW_FIELDS)
    return [f"word[{place + before if place > 0 else place}]" for place in places]


def _grouped(columns: Sequence[str], source: str) -> str:
    return f"SELECT {', '.join(columns)}, count(*) FROM {source} GROUP BY ALL"


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
