"""Files of any kind: which ones a source names, and what is in them once unpacked."""

from recommender.files.compression import DamagedStreamError, unpacked
from recommender.files.find import FileKind, find_files, names_something, shown, unreadable

__all__ = [
    "DamagedStreamError",
    "FileKind",
    "find_files",
    "names_something",
    "shown",
    "unpacked",
    "unreadable",
]
