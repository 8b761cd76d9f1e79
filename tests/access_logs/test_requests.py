from datetime import UTC, datetime

import polars as pl
import pytest

from recommender.access_logs import FAILURE_FLAGS, REQUEST_SCHEMA
from tests.access_logs.helpers import REVIEWS, as_json, read_lines, skipped, text
from tests.access_logs.odd_lines import TCP


def one(line: str) -> dict[str, object]:
    (row,) = read_lines(line).requests.iter_rows(named=True)
    return row


@pytest.mark.parametrize(
    ("cluster", "host", "port", "subset"),
    [
        (REVIEWS, "reviews.default.svc.cluster.local", 9080, "v1"),
        ("outbound|443||*.example.com", "*.example.com", 443, None),
        ("outbound|80||a_.b_.c", "a_.b_.c", 80, None),
        ("outbound_.9080_.v1_.reviews.default", "reviews.default", 9080, "v1"),
        ("outbound_.80_._.a_.b", "a_.b", 80, None),
        ("outbound|80||a;", "a", 80, None),
        ("outbound|80||a;;", "a;", 80, None),
        ("outbound|80||", None, None, None),
        ("outbound|0||a", None, None, None),
        ("outbound|65536||a", None, None, None),
        ("outbound|99999999999999||a", None, None, None),
        ("outbound|http||a", None, None, None),
        ("outbound|80|a", None, None, None),
        ("outbound|80||a|b", None, None, None),
        ("reviews.default_9080", None, None, None),
        ("PassthroughCluster", None, None, None),
        ("BlackHoleCluster", None, None, None),
        ("xds-grpc", None, None, None),
    ],
)
def test_a_cluster_names_a_destination_or_stays_as_it_is(
    cluster: str, host: str | None, port: int | None, subset: str | None
) -> None:
    for line in (text(upstream_cluster=cluster), as_json(upstream_cluster=cluster)):
        row = one(line)
        assert row["cluster"] == cluster.removesuffix(";")
        assert row["direction"] == "outbound"
        names = ("destination_host", "destination_port", "destination_subset")
        assert tuple(row[name] for name in names) == (host, port, subset)


@pytest.mark.parametrize(
    "cluster",
    [
        "inbound|9080||",
        "inbound|9080|http|reviews.default.svc.cluster.local",
        "inbound-vip|9080|http|reviews.default.svc.cluster.local",
        "inbound_.9080_._.reviews.default",
        "InboundPassthroughCluster",
        "InboundPassthroughClusterIpv4",
        "InboundPassthroughClusterIpv6;",
    ],
)
def test_of_a_received_request_nothing_is_kept_that_a_caller_chose(cluster: str) -> None:
    row = one(text(upstream_cluster=cluster, requested_server_name="evil", authority="evil"))

    assert row["direction"] == "inbound"
    assert row["cluster"] == cluster.removesuffix(";")
    names = ("destination_host", "destination_port", "authority", "server_name", "route")
    assert {row[name] for name in names} == {None}


@pytest.mark.parametrize(
    ("server_name", "kept"),
    [
        ("outbound_.9080_.v1_.Reviews.default", "outbound_.9080_.v1_.reviews.default"),
        ("outbound_.9080_._.a_.b", "outbound_.9080_._.a_.b"),
        ("outbound_.9080_._.", None),
        ("outbound_.http_._.reviews", None),
        ("outbound_.9080_.reviews", None),
        ("inbound_.9080_._.reviews", None),
        ("x.outbound_.9080_._.reviews", None),
        ("reviews.default", None),
        ("-", None),
    ],
)
def test_of_a_received_request_the_server_name_that_proxies_send_is_kept(
    server_name: str, kept: str | None
) -> None:
    inbound = {"upstream_cluster": "inbound|9080||", "requested_server_name": server_name}

    assert one(text(**inbound))["server_name"] == kept
    assert one(as_json(**inbound))["server_name"] == kept


def test_a_received_request_keeps_the_address_of_the_pod_but_no_port_of_strangers() -> None:
    address = "downstream_local_address"
    inbound = text(upstream_cluster="inbound|9080||", **{address: "10.0.0.1:9080"})
    through = text(upstream_cluster="InboundPassthroughCluster", **{address: "[fd00::1]:31337"})

    assert one(inbound)["destination_address"] == "10.0.0.1:9080"
    assert one(through)["destination_address"] == "[fd00::1]:0"


@pytest.mark.parametrize(
    ("logged", "kept"),
    [
        ("10.244.0.7:35662", "10.244.0.7"),
        ("[fd00::7]:35662", "fd00::7"),
        ("100.64.0.7:35662", "100.64.0.7"),
        ("240.8.0.7:35662", "240.8.0.7"),
        ("10.244.0.7:0", None),  # what x-forwarded-for named, which any caller may write
        ("[fd00::7]:0", None),
        ("203.0.113.7:35662", None),
        ("127.0.0.6:35662", None),
        ("envoy://internal_client_address/", None),
        ("-", None),
    ],
)
def test_a_peer_is_known_by_a_private_address_of_its_own(logged: str, kept: str | None) -> None:
    remote = {"downstream_remote_address": logged}

    assert one(text(upstream_cluster="inbound|9080||", **remote))["peer_address"] == kept
    assert one(as_json(upstream_cluster="inbound|9080||", **remote))["peer_address"] == kept
    assert one(text(**remote))["peer_address"] is None


@pytest.mark.parametrize(
    ("own", "logged", "kept"),
    [
        ("[2600:1f14:ab:c1::9]:80", "[2600:1f14:ab:d2:7::7]:35662", "2600:1f14:ab:d2:7::7"),
        ("[2600:1f14:ab:c1::9]:80", "[2600:1f14:ac:c1::7]:35662", None),
        ("[2600:1f14:ab:c1::9]:80", "[2600:1f14:ab:d2:7::7]:0", None),
        ("[2600::9]:80", "[2600::7]:35662", None),  # how much of it is alike is not spelled out
        ("11.4.0.9:80", "11.200.3.7:35662", "11.200.3.7"),
        ("11.4.0.9:80", "110.4.0.7:35662", None),
        ("11.4.0.9:80", "11.200.3.7:0", None),
        ("127.0.0.1:80", "127.0.0.6:35662", None),
        ("-", "11.200.3.7:35662", None),
    ],
)
def test_a_peer_is_known_by_a_public_address_where_that_of_the_pod_is_alike(
    own: str, logged: str, kept: str | None
) -> None:
    """In clusters of IPv6 alone pods have public addresses, say."""
    fields = {"downstream_local_address": own, "downstream_remote_address": logged}

    for cluster in ("inbound|9080||", "InboundPassthroughCluster"):
        assert one(text(upstream_cluster=cluster, **fields))["peer_address"] == kept
    assert one(text(**fields))["peer_address"] is None


@pytest.mark.parametrize("cluster", ["-", ";", ""])
def test_without_a_cluster_a_request_is_unrouted(cluster: str) -> None:
    row = one(text(upstream_cluster=cluster))

    assert (row["direction"], row["cluster"], row["authority"]) == ("unrouted", None, "reviews")


@pytest.mark.parametrize(
    ("logged", "kept"),
    [
        ("reviews", "reviews"),
        ("ReViews:9080", "reviews"),
        ("reviews.default.svc.cluster.local.:9080", "reviews.default.svc.cluster.local"),
        ("reviews.", "reviews"),
        ("reviews:", "reviews"),
        ("10.0.0.1:80", "10.0.0.1"),
        ("[::1]:9080", "::1"),
        ("[FD00::1]", "fd00::1"),
        ("foo_bar.example.com", "foo_bar.example.com"),
        ("-", None),
        ("", None),
        (".", None),
        ("a,b", None),
        ("a@b", None),
        ("a/../b", None),
        ("\x1b[31mred", None),
        ("<script>", None),
        ("a" * 256, None),
        ("浏览器", None),
    ],
)
def test_an_authority_is_kept_as_a_host_name(logged: str, kept: str | None) -> None:
    assert one(text(authority=logged))["authority"] == kept
    assert one(as_json(authority=logged))["authority"] == kept


@pytest.mark.parametrize(
    ("logged", "kept"),
    [
        ("Example.com", "example.com"),
        ("example.com.", "example.com."),
        ("outbound_.80_._.a.b", "outbound_.80_._.a.b"),
        ("-", None),
        ("", None),
        ("\x1b[31mred", None),
    ],
)
def test_a_server_name_is_kept_as_a_host_name(logged: str, kept: str | None) -> None:
    assert one(text(requested_server_name=logged))["server_name"] == kept


def test_a_connection_without_http_is_tcp() -> None:
    assert one(text(**TCP))["protocol"] == "tcp"
    assert one(as_json(**TCP))["protocol"] == "tcp"


@pytest.mark.parametrize(
    "fields",
    [
        {"protocol": "HTTP/1.1"},
        {"method": "GET"},
        {"authority": "reviews"},
        {"authority": "!"},
        {"route_name": "allow_any"},
    ],
)
def test_whatever_http_has_and_tcp_has_not_makes_it_http(fields: dict[str, str]) -> None:
    assert one(text(**(TCP | fields)))["protocol"] == "http"
    assert one(as_json(**(TCP | fields)))["protocol"] == "http"


@pytest.mark.parametrize(
    ("code", "flags", "failed"),
    [
        ("200", "-", False),
        ("404", "-", False),
        ("499", "DC", False),
        ("400", "DPE", False),
        ("403", "UAEX", False),
        ("429", "RL", False),
        ("500", "-", True),
        ("504", "-", True),
        ("200", "UF", True),
        ("0", "UF,URX", True),
        ("0", "URX,UF", True),
        ("0", "DC,UH", True),
        ("404", "NR", True),
        ("0", "XUF", False),
        ("5000", "-", False),
    ],
)
def test_errors_are_5xx_and_failures_of_upstream_or_route(
    code: str, flags: str, failed: bool
) -> None:
    fields = {"response_code": code, "response_flags": flags}

    assert one(text(**fields))["failed"] is failed
    assert one(as_json(**fields))["failed"] is failed


def test_every_failure_flag_counts() -> None:
    found = read_lines(*(text(response_flags=flag) for flag in FAILURE_FLAGS))

    failed = found.requests.filter("failed")
    assert failed["requests"].sum() == found.lines.used == len(FAILURE_FLAGS)


@pytest.mark.parametrize("path", ["/a b", '/x HTTP/1.1" 500 UF z', "/a\tb", "/你 好"])
def test_a_path_with_spaces_costs_the_code_at_most(path: str) -> None:
    row = one(text(path=path))

    assert row | {"failed": False} == one(text())


@pytest.mark.parametrize(
    "start",
    [
        "0001-01-01T00:00:00.000Z",
        "1970-01-01T00:00:00.000Z",
        "9999-12-31T23:59:59.999Z",
        "2026-13-01T00:00:00.000Z",
        "2026-11-23T25:00:00.000Z",
        "2026-11-23",
        "99999999999999999999-01-01T00:00:00Z",
    ],
)
def test_a_line_without_usable_start_time_is_skipped(start: str) -> None:
    found = read_lines(text(start_time=start), as_json(start_time=start), text())

    assert skipped(found) == {"no usable start time": 2}


def test_start_times_are_utc_to_the_millisecond() -> None:
    for start in ("2026-11-23T12:16:11.401Z", "2026-11-23T12:16:11.401999Z"):
        expected = datetime(2026, 11, 23, 12, 16, 11, 401_000, tzinfo=UTC)
        assert one(text(start_time=start))["first_seen"] == expected


def test_a_line_of_an_unknown_pod_is_skipped() -> None:
    assert skipped(read_lines(text(), pod=None)) == {"from a pod that is not known": 1}


@pytest.mark.parametrize("line", [text(), as_json(), "x", ""])
def test_the_frame_has_its_schema_whatever_was_read(line: str) -> None:
    frame = read_lines(line).requests

    assert frame.schema == REQUEST_SCHEMA
    assert isinstance(frame, pl.DataFrame)
