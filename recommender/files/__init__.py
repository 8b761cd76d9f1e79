"""Files of any kind: which ones a source names, and what is in them once unpacked."""

from recommender.files.compression import DamagedStreamError, is_packed_start, unpacked
from recommender.files.find import FileKind, find_files, names_something, shown, unreadable

__all__ = [
    "DamagedStreamError",
    "FileKind",
    "find_files",
    "is_packed_start",
    "names_something",
    "shown",
    "unpacked",
    "unreadable",
]
