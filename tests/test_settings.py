"""Settings come from a file and from flags; what is wrong with them is said at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from recommender.errors import UsageError
from recommender.settings import Settings, load_settings


def settings_of(tmp_path: Path, text: str, **flags: object) -> Settings:
    path = tmp_path / "recommender.toml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path, **flags)


def test_without_anything_the_defaults_hold() -> None:
    assert load_settings() == Settings()


def test_a_flag_wins_over_the_file_and_one_that_is_not_given_does_not(tmp_path: Path) -> None:
    text = 'strict = true\nadopt = true\npinned_hosts = ["a/b.example"]\nistio_version = "1.29"\n'
    found = settings_of(tmp_path, text, strict=False, adopt=None)

    assert (found.strict, found.adopt) == (False, True)
    assert found.pinned_hosts == ("a/b.example",)
    assert found.istio == (1, 29)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    assert settings_of(tmp_path, "\ufeffstrict = true\n").strict


@pytest.mark.parametrize(
    "text",
    [
        "stirct = true",
        "strict = 1",
        'strict = "yes"',
        'pinned_hosts = "a/b"',
        "pinned_hosts = [1]",
        'cluster_domain = "a b"',
        'cluster_domain = ""',
        'cluster_domain = "cluster.local."',
        'api_version = "foo"',
        'istio_version = "latest"',
    ],
)
def test_a_setting_that_makes_no_sense_is_an_error_that_names_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        settings_of(tmp_path, text)

    assert "recommender.toml" in str(caught.value)
    assert text.partition(" ")[0] in str(caught.value)


def test_a_file_that_is_not_toml_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not valid TOML") as caught:
        settings_of(tmp_path, "not toml")

    assert "recommender.toml" in str(caught.value)


def test_a_file_that_is_missing_is_an_error() -> None:
    with pytest.raises(UsageError, match="cannot read"):
        load_settings(Path("nowhere.toml"))
