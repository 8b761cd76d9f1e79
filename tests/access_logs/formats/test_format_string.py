import pytest

from recommender.access_logs.formats.format_string import Operator, tokens_of
from recommender.errors import UsageError


def test_a_format_string_is_literals_and_operators() -> None:
    assert tokens_of('[%START_TIME(%s.%3f)%] "%REQ(A?:B):10%" 5%%%PROTOCOL%%DURATION%\n') == (
        "[",
        Operator("START_TIME", "%s.%3f"),
        '] "',
        Operator("REQ", "A?:B", 10),
        '" 5%',
        Operator("PROTOCOL"),
        Operator("DURATION"),
        "\n",
    )


def test_both_names_of_an_operator_mean_the_same() -> None:
    assert tokens_of("%REQUEST_HEADER(A)%") == tokens_of("%REQ(A)%")


@pytest.mark.parametrize("text", ["", "a", "%%", "a%%b%%"])
def test_text_without_operators_is_one_literal(text: str) -> None:
    assert tokens_of(text) == ((text.replace("%%", "%"),) if text else ())


@pytest.mark.parametrize(
    ("text", "place"),
    [("%", 1), ("a%b%", 2), ("%REQ(A)", 1), ("%REQ(A):x%", 1), ("%PROTOCOL% % x", 12)],
)
def test_what_envoy_would_refuse_is_refused_and_the_place_named(text: str, place: int) -> None:
    with pytest.raises(UsageError, match=f"at character {place} of the log format"):
        tokens_of(text)


def test_an_operator_is_written_as_in_a_format_string() -> None:
    text = "%A%%B(x)%%C(x):5%%D:5%"

    assert "".join(map(str, tokens_of(text))) == text
