"""Lines as proxies write them -> fields: Envoy's log formats, compiled.

format_string   a format string is literals and operators
operators       what an operator may print
fields          which operators give the fields that this tool reads
template        text with operators in it is read, if it can be read in one way only
json_lines      values are taken out of JSON
text_format, json_format   a whole format
known           the formats that have names
choose          a format is named, or given as a string
parse           lines of several formats at once
"""

from recommender.access_logs.formats.choose import (
    FORMAT_NAMES_HINT,
    formats_as_configured,
    formats_of,
    formats_to_try,
    log_format,
)
from recommender.access_logs.formats.fields import DECIDING, FIELD_SCHEMA
from recommender.access_logs.formats.json_format import JsonFormat
from recommender.access_logs.formats.json_lines import AMBIGUOUS_JSON, BROKEN_JSON
from recommender.access_logs.formats.known import LogFormat, assumed_formats, known_formats
from recommender.access_logs.formats.operators import WORD, Alphabet
from recommender.access_logs.formats.parse import (
    AMBIGUOUS_TEXT,
    DIAGNOSTIC,
    NOT_ACCESS_LOG,
    UNKNOWN_FORMAT,
    parse_lines,
    text_starts,
)
from recommender.access_logs.formats.template import Part, Value
from recommender.access_logs.formats.text_format import TextFormat

__all__ = [
    "AMBIGUOUS_JSON",
    "AMBIGUOUS_TEXT",
    "BROKEN_JSON",
    "DECIDING",
    "DIAGNOSTIC",
    "FIELD_SCHEMA",
    "FORMAT_NAMES_HINT",
    "NOT_ACCESS_LOG",
    "UNKNOWN_FORMAT",
    "WORD",
    "Alphabet",
    "JsonFormat",
    "LogFormat",
    "Part",
    "TextFormat",
    "Value",
    "assumed_formats",
    "formats_as_configured",
    "formats_of",
    "formats_to_try",
    "known_formats",
    "log_format",
    "parse_lines",
    "text_starts",
]
