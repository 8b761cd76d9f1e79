import random
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.shop import flows as independent
from fixtures.shop.shop import all_pods
from recommender.access_logs import LineCounts, read_access_logs
from recommender.flows import FLOW_SCHEMA, Flows, merge_flows, summarise_flows
from tests.access_logs.helpers import DATA, FORMATS, POD, as_json, container_path, cri, text, write

SUMS = ("requests", "errors", "first_seen", "last_seen")
SHOP = Path(independent.__file__).parent / "logs"


def flows_of(*sources: str | Path, batch_bytes: int = 1 << 20) -> Flows:
    return summarise_flows(read_access_logs(sources, source_pod=POD, batch_bytes=batch_bytes))


def same(one: Flows, other: Flows, *, examples: bool = True) -> bool:
    def counts(flows: Flows) -> object:
        lines = flows.lines
        return lines if examples else (lines.read, lines.used, [s.lines for s in lines.skipped])

    return one.frame.equals(other.frame) and counts(one) == counts(other)


def test_all_formats_give_the_same_flows() -> None:
    expected = flows_of(DATA / "istio_json.log")

    assert expected.frame.height == 19
    assert expected.frame["requests"].sum() == 45
    for name in FORMATS:
        assert same(flows_of(DATA / f"{name}.log"), expected)


def test_requests_are_summed_by_day_source_and_destination(tmp_path: Path) -> None:
    first, last = "2026-11-23T23:59:59.998Z", "2026-11-23T23:59:59.999Z"
    lines = [
        text(start_time=last, response_code="503", user_agent="a"),
        as_json(start_time=first, path="/b"),
        text(start_time="2026-11-24T00:00:00.000Z"),
        text(start_time=first, authority="other"),
    ]
    write(container_path(tmp_path, "a"), lines)
    write(container_path(tmp_path, "b"), lines[:1])

    frame = flows_of(tmp_path).frame

    assert frame.select("day", "source_pod", "authority", "requests", "errors").rows() == [
        (date(2026, 11, 23), "a", "other", 1, 0),
        (date(2026, 11, 23), "a", "reviews", 2, 1),
        (date(2026, 11, 23), "b", "reviews", 1, 1),
        (date(2026, 11, 24), "a", "reviews", 1, 0),
    ]
    assert frame.select("first_seen", "last_seen").row(1) == (
        datetime(2026, 11, 23, 23, 59, 59, 998_000, tzinfo=UTC),
        datetime(2026, 11, 23, 23, 59, 59, 999_000, tzinfo=UTC),
    )
    assert frame.schema == FLOW_SCHEMA


def test_nothing_makes_no_flows() -> None:
    empty = summarise_flows([])

    assert empty.frame.schema == FLOW_SCHEMA
    assert empty.frame.is_empty()
    assert empty.writers.is_empty()
    assert same(merge_flows([]), empty)


def test_writers_are_all_that_logged(tmp_path: Path) -> None:
    start = "2026-11-2{}T00:00:00.000Z"
    received = text(upstream_cluster="inbound|9080||", start_time=start.format(3))
    write(container_path(tmp_path, "a"), [text(start_time=start.format(4)), received])
    write(container_path(tmp_path, "b"), [received])
    write(container_path(tmp_path, "c"), ["no access log line"])

    writers = flows_of(tmp_path).writers

    third, fourth = (datetime(2026, 11, day, tzinfo=UTC) for day in (23, 24))
    assert writers.rows() == [("shop", "a", 2, third, fourth), ("shop", "b", 1, third, third)]
    assert writers.columns[:3] == ["source_namespace", "source_pod", "requests"]


def test_every_line_of_the_shop_is_a_request_or_a_diagnostic() -> None:
    flows = flows_of(SHOP)

    assert flows.lines.used == flows.frame["requests"].sum()
    assert [entry.reason for entry in flows.lines.skipped] == [
        "on standard error, where no access log goes"
    ]
    assert flows.lines.read == sum(path.read_bytes().count(b"\n") for path in SHOP.rglob("*.log"))


def test_the_flows_of_the_shop_are_those_of_an_independent_reader() -> None:
    workloads = {(pod.namespace, pod.name): pod.workload.key for pod in all_pods()}
    expected: Counter[tuple[str, str]] = Counter()
    named: Counter[tuple[str, str, str, str]] = Counter()
    for flow, count in independent.read(SHOP).items():
        expected[flow.workload, flow.cluster] += count
        if flow.cluster != "-" and not flow.cluster.lower().startswith("inbound"):
            host = flow.authority.split(":")[0]
            named[flow.workload, flow.cluster, host, flow.server_name] += count

    found: Counter[tuple[str, str]] = Counter()
    found_named: Counter[tuple[str, str, str, str]] = Counter()
    for row in flows_of(SHOP).frame.fill_null("-").iter_rows(named=True):
        workload = workloads[row["source_namespace"], row["source_pod"]]
        found[workload, row["cluster"]] += row["requests"]
        if row["direction"] == "outbound":
            key = (workload, row["cluster"], row["authority"], row["server_name"])
            found_named[key] += row["requests"]

    assert found == expected
    assert found_named == named


LINES = [
    text(),
    text(authority="other", start_time="2026-11-24T00:00:00.000Z"),
    text(upstream_cluster="inbound|9080||"),
    text(response_code="503"),
    as_json(start_time="2026-11-23T00:00:00.000Z"),
    cri(text(user_agent="\u2028 \x85")),
    cri("a warning", stream="stderr"),
    "no access log line",
    as_json()[:-1],
    "",
]


@settings(max_examples=40)
@given(
    lines=st.lists(st.sampled_from(LINES), min_size=1, max_size=30),
    cuts=st.lists(st.integers(0, 30), max_size=4),
    batch_bytes=st.sampled_from([1, 700, 3000, 1 << 20]),
    seed=st.integers(),
)
def test_neither_order_nor_files_nor_batches_change_flows(
    lines: list[str], cuts: list[int], batch_bytes: int, seed: int
) -> None:
    shuffled = random.Random(seed).sample(lines, len(lines))  # noqa: S311 - no secret
    with TemporaryDirectory() as name:
        folder = Path(name)
        whole = write(folder / "whole.log", lines)
        ends = [*sorted(min(cut, len(lines)) for cut in cuts), len(lines)]
        for number, end in enumerate(ends):
            begin = ends[number - 1] if number else 0
            write(folder / "cut" / f"{number}.log", shuffled[begin:end])

        expected = flows_of(whole)

        assert same(flows_of(whole, batch_bytes=batch_bytes), expected)
        cut = flows_of(folder / "cut", batch_bytes=batch_bytes)
        assert same(cut, expected, examples=False)


@settings(max_examples=40)
@given(st.lists(st.sampled_from(LINES), max_size=12), st.integers(0, 12), st.integers(0, 12))
def test_merging_is_associative_and_commutative(lines: list[str], one: int, two: int) -> None:
    first, second = sorted((one, two))
    pieces = [lines[:first], lines[first:second], lines[second:]]
    with TemporaryDirectory() as name:
        paths = [write(Path(name, f"{n}.log"), piece) for n, piece in enumerate(pieces)]
        a, b, c = map(flows_of, paths)
        expected = flows_of(*paths)

    assert same(merge_flows([a, b, c]), expected)
    assert same(merge_flows([merge_flows([a, b]), c]), expected)
    assert same(merge_flows([a, merge_flows([b, c])]), expected)
    assert same(merge_flows([c, b, a]), expected)
    assert same(merge_flows([a]), a)


@given(
    st.lists(st.tuples(*[st.sampled_from((None, "", "a", "B", "\u00e9"))] * 3, st.integers(0, 2))),
)
def test_flows_are_in_the_order_of_what_tells_them_apart(
    rows: list[tuple[str | None, str | None, str | None, int]],
) -> None:
    names = ("source_pod", "cluster", "authority")
    frame = pl.DataFrame(
        [
            dict(zip(names, texts, strict=True))
            | {"day": date(2026, 11, 23 + day), "requests": 1, "errors": day}
            for *texts, day in rows
        ],
        schema=FLOW_SCHEMA,
    )
    keys = [name for name in FLOW_SCHEMA if name not in SUMS]

    merged = merge_flows([Flows(frame, LineCounts())]).frame

    expected = frame.group_by(keys).agg(pl.col(*SUMS[:2]).sum(), pl.col(*SUMS[2:]).min())
    assert merged.equals(expected.select(*FLOW_SCHEMA).sort(keys))


def test_many_parts_are_merged_on_the_way() -> None:
    frame = pl.DataFrame(
        {name: ["x"] if kind == pl.String else [None] for name, kind in FLOW_SCHEMA.items()},
        schema=FLOW_SCHEMA,
    ).with_columns(pl.lit(1, pl.Int64).alias("requests"))
    part = Flows(frame, flows_of(DATA / "istio_text.log").lines)

    merged = merge_flows(part for _ in range(2500))

    assert merged.frame["requests"].to_list() == [2500]
    assert merged.lines.used == 2500 * 45


@pytest.mark.parametrize("names", [["a", "b"], ["b", "a"]])
def test_the_order_of_sources_changes_nothing(tmp_path: Path, names: list[str]) -> None:
    for name in ("a", "b"):
        write(container_path(tmp_path / name, name), [text(), "x"])

    found = flows_of(*(tmp_path / name for name in names))

    assert same(found, flows_of(tmp_path))
