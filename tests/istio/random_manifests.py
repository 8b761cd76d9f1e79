"""Sidecar manifests with one or several oddities, most of which istiod refuses or warns of."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from random import Random
from typing import Any, Final

Manifest = dict[str, Any]
_ABSENT: Final = object()

Values = tuple[object, ...]
Leaf = tuple[tuple[str, ...], Values]

LONG: Final = "a" * 63
HOSTS: Final = (
    "*/*", "./*", "a/*", "shop/cart.shop.svc.cluster.local", "shop/*.shop.svc.cluster.local",
    "*/api.example", "./x.y", "~/*", "~a/*", "~./x.y", "~*/x.y", "shop/x.y.", "shop/foo.", "a/*.",
    "", "/", "/x.y", "a/", "a", "x.y", "a/b", "a//x.y", "a/x.y/z", "~~a/x.y", "~*a/x.y", "*a/x.y",
    "a.b/x.y", "a_b/x.y", "-a/x.y", "a-/x.y", "A/X.Y", "a/-x.y", "a/x_.y", "a/x..y", "a/.x.y",
    "a/foo..", "a/1.2.3.4", "a/1.2.3.4.", "a/x.99999999999999999999", "a/x.007", "a/x.1a",
    "a/::1", "a/*x.y", "a/*-x.y", "a/x.*.y", "a/x*.y", "a/**.y", "a/*.*.y", "a/*.5", "a/*.y",
    f"a/{LONG}.y", f"a/{LONG}a.y", f"{LONG}/x.y", f"{LONG}a/x.y", f"a/*{LONG}.y",
    "a/" + ".".join([LONG] * 4), "a/" + ".".join([LONG] * 3 + [LONG[:61] + ".y"]), "a/x.y:80",
    "a/x y.z", "a/x.y\n", "a/é.y", "é/x.y", " a/x.y", "a/x.y ", "~", "~/", ".", "*", "a/~x.y",
    "./x.y", "~/x", "shop/foo-.bar", "a/xn--bcher-kva.example",
)  # fmt: skip
REPEATED: Final = ("a/x.y", "a/*", "./x.y", "./*", "*/*", "*/x.y", "~a/x.y", "b/x.y", "shop/x.y")
NUMBERS: Values = (0, 1, 80, 65535, 65536, 70000, -1, 2**32 - 1, 2**32, "80", "080", "", "-0", "-1",
                  " 80 ", "null", "x", 80.0, 80.5, 1e30, True, [], {}, "8e1")  # fmt: skip
PROTOCOLS: Final = ("", "HTTP", "http", "Tcp", "GRPC-Web", "http_proxy", "HTTP2", "tls", "HTTPS",
                    "mongo", "MySQL", "redis", "udp", "UDP", "HBONE", "DoubleHBONE", "DoubleHBONE",
                    "h2c", "http1", "UnsupportedProtocol", " http", 5, None)  # fmt: skip
PORT_NAMES: Final = ("", "http", "http-web", "a.b", "-a", "a_b", LONG, LONG + "a", "A", 7, None)
BINDS: Final = (
    "", "0.0.0.0",  # noqa: S104 - nothing is bound
    "127.0.0.1", "::", "::1", "fe80::1%eth0", "fe80::1%", "1.2.3.4%a", "1.2.3",
    "1.2.3.04", "1.2.3.256", "::ffff:1.2.3.4", "::ffff:1.2.3.4%x", "1::2::3", "12345::", "%eth0",
    "1.2.3.4/32", "localhost", "unix://", "unix:///a", "unix:///a/", "unix://a", "unix://@",
    "unix:", "unix://@a/", "unix:///", "UNIX:///a", "fe80::1%a%b", "[::1]", " 1.2.3.4", "::g",
    "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:9", 4, None,
)  # fmt: skip
MODES: Final = (
    "DEFAULT",
    "IPTABLES",
    "NONE",
    "none",
    "",
    0,
    1,
    2,
    3,
    -(2**31),
    2**31,
    "1",
    True,
    1.0,
)
ENDPOINTS: Final = (
    "", "127.0.0.1:80", "0.0.0.0:80", "[::1]:80", "[::]:80", ":80", "127.0.0.1", "127.0.0.1:",
    "::1:80", "[127.0.0.1]:80", "[]:80", "10.0.0.1:80", "localhost:80", "127.0.0.1:0", ":65536",
    ":+80", ":080", ":-1", ":8_0", ":0x50", ": 80", "[::1:80", "[::1]80", "::]:80", "a[::1]:80",
    "unix:///a", "unix://a", "unix://", "unix://@a", ":65535", ":99999999999999999999",
    "[::1]:80:1", "[[::1]]:80", ":" + "0" * 20 + "80", ":", ":1", 80, None,
)  # fmt: skip
DURATIONS: Values = (
    "1s", "1ms", "0.5ms", "1.5ms", "1us", "999us", "1000us", "1001us", "0s", "0", "-1s", "-0.5ms",
    "1h30m", "1.5s", ".5s", "1.s", "1", "", "+1s", "1d", "s", ".s", "1 s", "1e3s", "1µs", "1μs",
    "2562047h", "2562048h", "99999999999999999999s", "0.0015s", "1.0015s", "0.001001s", "--1s",
    "1S", "1.1h", "0.333333333333333333333s", "1s1", 1, 1.5, None, True, [], "-999us", "-1ms",
    "500us",
)  # fmt: skip
LABELS: Values = (
    {"app": "x"}, {}, {"": "x"}, {"app": ""}, {"app": "*"}, {"a*": "x"}, {"app": None}, {"app": 5},
    [], "app", None, {"app": "x y"}, {"app": ["x"]}, {"app": "x", "": "*"},
)  # fmt: skip
TEXTS: Values = ("", "x", "/etc/cert", None, 5, ["x"], {}, True)
LISTS: Values = ([], ["x"], [None], [5], "x", {}, None, ["a", "b", "c"])
SUITES: Values = (
    [], [""], ["ALL"], ["AES128-SHA"], ["AES128-SHA", "AES128-SHA"], ["NULL"], ["+AES128-SHA"],
    ["-x"], ["ALL", "ALL"], ["é"], ["\u05d0"], ["x", "x"], [None], [1], "AES128-SHA", ["²"],
)  # fmt: skip
FLAGS: Final = (True, False, None, "true", 0, 1)
TLS_MODES: Final = ("PASSTHROUGH", "SIMPLE", "MUTUAL", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL",
                    "OPTIONAL_MUTUAL", "simple", 0, 1, 3, 4, 5, 6, None)  # fmt: skip
TLS_VERSIONS: Final = ("TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3", "1.2", 1, 9, None)
COUNTS: Final = (
    0,
    1,
    -1,
    2**31 - 1,
    2**31,
    -(2**31),
    -(2**31) - 1,
    "5",
    "-5",
    "x",
    1.0,
    None,
    True,
)
POLICY_MODES: Final = ("REGISTRY_ONLY", "ALLOW_ANY", "ALLOW_ANY_DYNAMIC_DNS", 0, 1, 2, 3, None)
NAMES: Final = ("x.y", "x", "", "*", "*.x.y", "1.2.3.4", "x.y.", "x_y.z", "-x.y", f"{LONG}a.y", 5)
PORTS: Values = ({}, {"number": 80}, {"number": 0}, {"number": 65536}, None, 80, {"number": "80"})
CERTIFICATES: Values = (
    [], [{}], [{}, {}], [{}, {}, {}], [None], [{"privateKey": "k", "serverCertificate": "c"}],
    ["x"], None,
)  # fmt: skip
ODD: Values = (None, [], {}, "x", 5, True, [None], [5], [[]], ["x"], [{}])
ANNOTATIONS: Values = (
    None, {}, {"a": "b"}, {"istio.io/dry-run": "true"}, {"istio.io/dry-run": ""}, {"a": 5}, [],
    {"internal.istio.io/webhook-always-reject": "x"}, {"internal.istio.io/parents": "x"}, "x",
    {"internal.istio.io/parent-namespace": "x"}, {"a": None},
)  # fmt: skip

_POOL: Final = {
    "http": {
        "http1MaxPendingRequests": COUNTS,
        "http2MaxRequests": COUNTS,
        "maxRequestsPerConnection": COUNTS,
        "maxRetries": COUNTS,
        "maxConcurrentStreams": COUNTS,
        "idleTimeout": DURATIONS,
        "h2UpgradePolicy": ("DEFAULT", "UPGRADE", "DO_NOT_UPGRADE", "x", 2, 7, None),
        "useClientProtocol": FLAGS,
        "http2KeepAlive": {"interval": DURATIONS, "timeout": DURATIONS},
    },
    "tcp": {
        "maxConnections": COUNTS,
        "connectTimeout": DURATIONS,
        "maxConnectionDuration": DURATIONS,
        "idleTimeout": DURATIONS,
        "tcpKeepalive": {"probes": NUMBERS, "time": DURATIONS, "interval": DURATIONS},
    },
}
_PORT: Final = {"number": NUMBERS, "protocol": PROTOCOLS, "name": PORT_NAMES, "targetPort": NUMBERS}
_TLS: Final = {
    "mode": TLS_MODES,
    "serverCertificate": TEXTS,
    "privateKey": TEXTS,
    "caCertificates": TEXTS,
    "caCrl": TEXTS,
    "credentialName": TEXTS,
    "credentialNames": LISTS,
    "caCertCredentialName": TEXTS,
    "tlsCertificates": CERTIFICATES,
    "subjectAltNames": LISTS,
    "verifyCertificateSpki": LISTS,
    "verifyCertificateHash": LISTS,
    "minProtocolVersion": TLS_VERSIONS,
    "maxProtocolVersion": TLS_VERSIONS,
    "cipherSuites": SUITES,
    "insecureSkipVerify": FLAGS,
    "httpsRedirect": FLAGS,
    "unknown": ODD,
}
_SPEC: Final = {
    "workloadSelector": {"labels": LABELS},
    "egress": [{"hosts": [HOSTS], "port": _PORT, "bind": BINDS, "captureMode": MODES}],
    "ingress": [
        {
            "port": _PORT,
            "bind": BINDS,
            "captureMode": MODES,
            "defaultEndpoint": ENDPOINTS,
            "tls": _TLS,
            "connectionPool": _POOL,
        }
    ],
    "inboundConnectionPool": _POOL,
    "outboundTrafficPolicy": {
        "mode": POLICY_MODES,
        "egressProxy": {"host": NAMES, "subset": PORT_NAMES, "port": PORTS},
    },
    "unknown": ODD,
}

_FINE_TLS: Final = {"mode": "SIMPLE", "serverCertificate": "c", "privateKey": "k"}
_FINE_POOL: Final = {
    "http": {"useClientProtocol": True, "http2KeepAlive": {"interval": "1s", "timeout": "1s"}},
    "tcp": {"idleTimeout": "1s", "tcpKeepalive": {"time": "1s"}},
}

_FINE: Final = {
    "tls": _FINE_TLS,
    "inboundConnectionPool": _FINE_POOL,
    "http2KeepAlive": {"interval": "1s", "timeout": "1s"},
    "port": {"number": 443, "protocol": "TLS"},
    "outboundTrafficPolicy": {"mode": "ALLOW_ANY"},
    "egressProxy": {"host": "proxy.example", "port": {"number": 3128}},
}


def random_manifest(seed: int) -> Manifest:
    """Make a Sidecar's manifest; equal seeds make equal manifests."""
    random = Random(seed)  # noqa: S311 - nothing here is secret
    manifest = _fine(random)
    for _ in range(random.choice((0, 1, 1, 1, 1, 1, 2, 3))):
        what = random.random()
        if what < 0.02:
            manifest["metadata"] = random.choice((*ODD, {"namespace": 5}))
        elif what < 0.04:
            manifest["metadata"] = {"namespace": "a", "annotations": random.choice(ANNOTATIONS)}
        elif what < 0.05:
            manifest["spec"] = random.choice(ODD)
        elif isinstance(manifest["spec"], dict) and what < 0.2:
            _change(random, manifest["spec"], _SPEC)
        elif isinstance(manifest["spec"], dict) and what < 0.3:
            random.choice((_repeat_hosts, _repeat_listener))(random, manifest["spec"])
        elif isinstance(manifest["spec"], dict):
            _change_leaf(random, manifest["spec"], *random.choice(_LEAVES))
    return manifest


def _leaves(shape: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Yield each field that is no object, as often as there are values for it."""
    for name, inner in shape.items():
        inner = inner[0] if isinstance(inner, list) else inner
        if isinstance(inner, tuple):
            yield from [((*above, name), inner)] * len(inner)
        else:
            yield from _leaves(inner, (*above, name))


_LEAVES: Final = tuple(_leaves(_SPEC))


def _fine(random: Random) -> Manifest:
    """Make a manifest that istiod accepts, and mostly without a warning."""
    spec: dict[str, Any] = {}
    if random.random() < 0.5:
        spec["workloadSelector"] = {"labels": {"app": "x"}}
    if random.random() < 0.8:
        spec["egress"] = _fine_egress(random)
    if random.random() < 0.5 or not spec.get("egress"):
        spec["ingress"] = [
            _fine_ingress(random, port) for port in (9080, 9443)[: random.choice((1, 2))]
        ]
    if random.random() < 0.3:
        spec["inboundConnectionPool"] = deepcopy(_FINE_POOL)
    if random.random() < 0.4:
        spec["outboundTrafficPolicy"] = {"mode": "ALLOW_ANY"}
        if random.random() < 0.5:
            proxy = {"host": "proxy.example", "port": {"number": 3128}, "subset": "v1"}
            spec["outboundTrafficPolicy"]["egressProxy"] = proxy
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "Sidecar",
        "metadata": {"name": "x", "namespace": random.choice(("a", "shop"))},
        "spec": spec,
    }


def _fine_egress(random: Random) -> list[dict[str, Any]]:
    listeners: list[dict[str, Any]] = []
    if random.random() < 0.5:
        port = {"number": 80, "protocol": "HTTP", "name": "http"}
        listeners.append({"port": port, "hosts": ["shop/x.example"], "bind": "127.0.0.1"})
    if random.random() < 0.3:
        port = {"number": 0, "protocol": "TCP", "name": "socket"}
        socket = {"bind": "unix:///run/db", "captureMode": "NONE"}
        listeners.append({"port": port, "hosts": ["*/db.example"], **socket})
    hosts = ["a/x.y", "b/x.y", "shop/*.example", "~b/z.example"][: random.randint(1, 4)]
    listeners.append({"hosts": hosts})
    return listeners


def _fine_ingress(random: Random, number: int) -> dict[str, Any]:
    protocol = random.choice(("HTTPS", "TLS")) if number == 9443 else random.choice(("HTTP", "TCP"))
    port = {"number": number, "protocol": protocol, "name": "in"}
    listener: dict[str, Any] = {"port": port, "defaultEndpoint": "127.0.0.1:8080"}
    if number == 9443:
        listener["tls"] = deepcopy(_FINE_TLS)
    if random.random() < 0.3:
        listener["connectionPool"] = {"tcp": {"maxConnections": 5}}
    return listener


def _change_leaf(
    random: Random, spec: dict[str, Any], path: tuple[str, ...], values: Values
) -> None:
    """Set a field to one of its values, below objects that are otherwise fine."""
    holder: Any = spec
    for depth, name in enumerate(path[:-1]):
        inner = holder.get(name)
        if name in ("ingress", "egress"):
            inner = _entry(random, holder, name, path[depth + 1])
        elif not isinstance(inner, dict):
            inner = holder[name] = deepcopy(_FINE.get(name, {}))
        holder = inner
    hosts = holder.get("hosts") if path[-1] == "hosts" else None
    if isinstance(hosts, list):
        hosts.insert(random.randint(0, len(hosts)), random.choice(values))
    else:
        holder[path[-1]] = deepcopy(random.choice(values))


def _entry(random: Random, spec: dict[str, Any], kind: str, field: str) -> dict[str, Any]:
    """Find a listener that has a field, or add one."""
    if not isinstance(spec.get(kind), list):
        spec[kind] = []
    entries = spec[kind]
    fitting = [entry for entry in entries if isinstance(entry, dict) and field in entry]
    if fitting:
        found: dict[str, Any] = random.choice(fitting)
        return found
    if kind == "ingress":
        made = _fine_ingress(random, 9443 if field == "tls" else random.choice((9080, 9081)))
    else:
        made = {"port": {"number": 81, "protocol": "TCP"}, "hosts": ["*/x.y"]}
    entries.insert(0, made)
    return made


def _repeat_listener(random: Random, spec: dict[str, Any]) -> None:
    listeners = spec.get(random.choice(("egress", "egress", "ingress")))
    if isinstance(listeners, list) and listeners:
        again = deepcopy(random.choice(listeners))
        listeners.insert(random.randint(0, len(listeners)), again)


def _repeat_hosts(random: Random, spec: dict[str, Any]) -> None:
    hosts = [random.choice(REPEATED) for _ in range(random.randint(1, 4))]
    listener = _entry(random, spec, "egress", "hosts")
    listener["hosts"] = hosts


def _change(random: Random, holder: dict[str, Any], shape: dict[str, Any]) -> None:
    """Change, add or remove a field somewhere below an object."""
    name = random.choice(list(shape))
    inner, value = shape[name], holder.get(name, _ABSENT)
    if value is not _ABSENT and random.random() < 0.05:
        del holder[name]
    elif isinstance(inner, tuple):
        holder[name] = deepcopy(random.choice(inner))
    elif random.random() < 0.06:
        holder[name] = deepcopy(random.choice(ODD))
    elif isinstance(inner, list):
        _change_list(random, holder, name, inner[0])
    elif isinstance(value, dict) or value is _ABSENT or value is None:
        holder[name] = value if isinstance(value, dict) else {}
        _change(random, holder[name], inner)


def _change_list(random: Random, holder: dict[str, Any], name: str, inner: Any) -> None:
    """Change, repeat, add or move an entry of a list."""
    if not isinstance(holder.get(name), list) or not holder[name]:
        holder[name] = [{}] if isinstance(inner, dict) else ["a/x.y"]
    entries: list[Any] = holder[name]
    place = random.randrange(len(entries))
    what = random.random()
    if what < 0.08:
        entries.append(deepcopy(random.choice(entries)))
    elif what < 0.12:
        entries.insert(place, random.choice((None, {}, 5, "x")))
    elif what < 0.16:
        entries.reverse()
    elif isinstance(inner, dict) and isinstance(entries[place], dict):
        _change(random, entries[place], inner)
    elif isinstance(inner, tuple):
        new = random.choice(inner)
        if what < 0.5:
            entries[place] = new
        else:
            entries.append(new)
