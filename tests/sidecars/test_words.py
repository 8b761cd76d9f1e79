import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.sidecars.words import counted, evidence_in_words, printable
from tests.sidecars.helpers import FIRST, HOSTILE, evidence


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_comes_out_as_plain_ascii(text: str) -> None:
    assert printable(text).isascii()
    assert printable(text).isprintable()


@given(st.text())
def test_nothing_steers_a_terminal_or_turns_the_direction_of_text(text: str) -> None:
    shown = printable(text)

    assert all(unicodedata.category(c)[0] not in "CM" for c in shown)
    assert not {unicodedata.bidirectional(c) for c in shown} & {"R", "AL", "AN", "NSM", "B", "S"}


def test_text_that_can_be_read_is_left_alone() -> None:
    assert printable("日志/été – 3 → 4 \\x1b") == "日志/été – 3 → 4 \\x1b"


def test_escapes_name_the_character() -> None:
    assert printable("\x00\x85\u202e\U000e0041") == "\\x00\\x85\\u202e\\U000e0041"
    assert printable("\u0915\u0903") == "\u0915\\u0903"


def test_long_text_is_cut_where_it_shows() -> None:
    assert printable("a" * 10, most=5) == "aaaa…"


def test_numbers_agree_with_their_nouns() -> None:
    said = [counted(n, "pod") for n in (0, 1, 2, 12345)]

    assert said == ["0 pods", "1 pod", "2 pods", "12,345 pods"]


def test_evidence_of_one_day_names_the_day_once() -> None:
    one_day = replace(evidence(requests=1, errors=0, days=1), last_seen=FIRST)

    assert evidence_in_words(one_day) == "1 request, 2026-11-17, 1 day"
    assert evidence_in_words(evidence(errors=2)).startswith("24 requests (2 errors), 2026-11-17 to")
