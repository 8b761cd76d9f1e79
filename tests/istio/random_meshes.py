"""Small random meshes in which host names collide, hide and stand for each other."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.istio.judge import JudgedProxy
from tests.mesh.helpers import Object, obj

ISTIO = "networking.istio.io/v1"
ROOT_NAMESPACE = "istio-system"
NAMESPACES = ("a", "b", "c", ROOT_NAMESPACE)
NAMES = ("s0", "s1", "s2", "s3")
OUTSIDE = ("api.ext.example", "www.ext.example", "db.example")
WILDCARDS = ("*.ext.example", "*.example", "*.a.svc.cluster.local", "*.svc.cluster.local", "*")
KUBERNETES = tuple(f"{name}.{ns}.svc.cluster.local" for ns in NAMESPACES[:3] for name in NAMES)
EXPORTS = (["*"], ["."], ["a"], ["b", "c"], [".", "d"])
HIDDEN = (["~"], ["~", "c"])  # only for Services: istiod refuses the latter elsewhere
LABELS = ({"app": "x"}, {"app": "y"}, {"app": "x", "tier": "web"})
PORTS: tuple[tuple[int, str], ...] = (
    (80, "http"),
    (8080, "http-web"),
    (9000, "grpc"),
    (5432, "tcp-db"),
    (443, "https"),
    (7000, "rest"),
    (3306, "sql"),
)

# Ports whose protocol is told in other ways than by a plain name, or not at all.
ODD_PORTS: tuple[dict[str, object], ...] = (
    {"port": 81, "name": "any", "appProtocol": "kubernetes.io/h2c"},
    {"port": 82, "name": "tcp-a", "appProtocol": "http"},
    {"port": 83, "name": "http-b", "appProtocol": "mycompany.example/own"},
    {"port": 84, "name": "grpc-web-c"},
    {"port": 85, "name": "HTTP2-d"},
    {"port": 86, "name": "redis"},
    {"port": 87, "name": "mongo-e"},
    {"port": 88, "name": "mysql-f"},
    {"port": 89, "name": "tls-g"},
    {"port": 53, "name": "dns", "protocol": "UDP"},
    {"port": 90, "name": "http-h", "protocol": "UDP"},
    {"port": 91, "name": "udp-i"},
    {"port": 92, "name": "http-proxy"},
    {"port": 93, "name": "httpx"},
    {"port": 94, "name": "k", "appProtocol": "kubernetes.io/ws"},
    {"port": 95, "name": "m", "appProtocol": "kubernetes.io/wss"},
    {"port": 96, "name": "n", "appProtocol": "HTTPS"},
    {"port": 97, "name": "o", "protocol": "SCTP"},
    {"port": 27017, "name": "sql"},
)


def random_mesh(seed: int) -> list[Object]:
    """Make the objects of a mesh; equal seeds make equal meshes.

    Every fourth has hosts of the same age in several namespaces, but no VirtualService: which of
    them a VirtualService's destination pulls in istiod leaves to chance.
    """
    random = Random(seed)  # noqa: S311 - nothing here is secret
    return _Mesh(random, ties=seed % 4 == 0).objects()


def proxies() -> list[JudgedProxy]:
    """List a proxy of each namespace with each set of labels."""
    return [JudgedProxy(namespace, labels) for namespace in NAMESPACES for labels in LABELS]


def write_mesh(folder: Path, objects: list[Object]) -> None:
    """Write objects as a mesh dump."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}, indent=1)
    Path(folder, "mesh.json").write_text(text, encoding="utf-8")


def protocol_of(port_name: str) -> str:
    """Return the protocol of a port's name, none for one to be sniffed."""
    prefix = port_name.split("-")[0].upper()
    return prefix if prefix in ("HTTP", "GRPC", "TCP", "HTTPS") else ""


@dataclass
class _Mesh:
    random: Random
    ties: bool
    number: int = field(default=0)
    ages: set[tuple[int, str, str]] = field(default_factory=set)

    def objects(self) -> list[Object]:
        """Make one of everything, and several of what can collide."""
        made = [obj("v1", "Namespace", namespace, "") for namespace in NAMESPACES]
        made.append(self.mesh_config())
        for namespace in NAMESPACES[:3]:
            names = self.random.sample(NAMES, self.random.randint(1, len(NAMES)))
            made += [self.service(name, namespace) for name in names]
        made += [self.service_entry() for _ in range(self.random.randint(0, 8))]
        if not self.ties:
            made += [self.virtual_service() for _ in range(self.random.randint(0, 8))]
            made += [self.delegate(name) for name in ("d0", "d1")]
            made += [self.http_route() for _ in range(self.random.randint(0, 2))]
        for namespace in NAMESPACES:
            made += [self.sidecar(namespace) for _ in range(self.random.randint(0, 3))]
        return made

    def chance(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def some(self, values: tuple[str, ...], most: int) -> list[str]:
        return self.random.sample(values, self.random.randint(1, min(most, len(values))))

    def created(self) -> str:
        """Return one of few moments: objects of the same second are told apart by name."""
        return f"2026-01-01T00:00:0{self.random.randrange(4)}Z"

    def name(self, prefix: str) -> str:
        self.number += 1
        return f"{prefix}{self.random.randrange(10)}-{self.number}"

    def address(self) -> str:
        self.number += 1
        return f"10.0.0.{self.number}"

    def shaped(self, shape: str) -> str:
        self.number += 1
        return shape.format(self.number if ":" in shape else f"10.0.0.{self.number}")

    def mesh_config(self) -> Object:
        config: dict[str, object] = {"rootNamespace": ROOT_NAMESPACE}
        for key in ("defaultServiceExportTo", "defaultVirtualServiceExportTo"):
            if self.chance(25):
                config[key] = self.random.choice(EXPORTS[:3])
        return obj("v1", "ConfigMap", "istio", ROOT_NAMESPACE, data={"mesh": json.dumps(config)})

    def service(self, name: str, namespace: str) -> Object:
        spec: dict[str, object] = {"clusterIP": self.address(), "selector": {"app": name}}
        if self.chance(20):
            spec["clusterIP"] = "None"
        elif self.chance(20):
            others = (*KUBERNETES, *OUTSIDE)
            spec = {"type": "ExternalName", "externalName": self.random.choice(others)}
        ports: list[dict[str, object]] = [
            {"name": port_name, "port": port, "protocol": "TCP"}
            for port, port_name in self.random.sample(PORTS, self.random.randint(1, 3))
        ]
        if self.chance(40):
            ports += self.random.sample(ODD_PORTS, 2)
        spec["ports"] = ports
        more: dict[str, object] = {"created": self.created(), "spec": spec}
        if self.chance(30):
            exports = self.random.choice((",", ", ")).join(self.random.choice((*EXPORTS, *HIDDEN)))
            more["annotations"] = {"networking.istio.io/exportTo": exports}
        return obj("v1", "Service", name, namespace, **more)

    def service_entry(self) -> Object:
        hosts = self.some((*OUTSIDE, *WILDCARDS[:3], *KUBERNETES), 3)
        ports = [port for port in PORTS[:5] if len(hosts) == 1 or not port[1].startswith("tcp")]
        resolution = self.random.choice(("NONE", "STATIC", "DNS"))
        if any(host.startswith("*") for host in hosts):
            resolution = "NONE"
        spec: dict[str, object] = {
            "hosts": hosts,
            "resolution": resolution,
            "location": self.random.choice(("MESH_EXTERNAL", "MESH_INTERNAL")),
            "ports": [
                {"name": name, "number": number, "protocol": protocol_of(name)}
                for number, name in self.random.sample(ports, self.random.randint(1, 2))
            ],
        }
        if self.chance(40):
            count = self.random.randint(1, 2)
            shapes = (
                "{}",
                "{}",
                "2001:db8::{}",
                *(() if resolution == "DNS" else ("{}/32", "{}/31")),
            )
            spec["addresses"] = [self.shaped(self.random.choice(shapes)) for _ in range(count)]
        if resolution == "STATIC" and self.chance(30):
            spec["workloadSelector"] = {"labels": {"app": self.random.choice(NAMES)}}
        elif resolution == "STATIC":
            spec["endpoints"] = [{"address": self.address()}]
        return self.distinct(self.istio("ServiceEntry", "se", spec))

    def distinct(self, entry: Object) -> Object:
        """Age a ServiceEntry until none of its hosts ties in a way that istiod leaves to chance."""
        metadata, spec = entry["metadata"], entry["spec"]
        assert isinstance(metadata, dict)
        assert isinstance(spec, dict)
        second = self.random.randrange(4)
        while True:
            place = metadata["namespace"] if self.ties else ""
            keys = {(second, place, host) for host in spec["hosts"]}
            if not keys & self.ages:
                break
            second += 1
        self.ages |= keys
        metadata["creationTimestamp"] = f"2026-01-01T00:00:{second:02}Z"
        return entry

    def istio(self, kind: str, prefix: str, spec: dict[str, object]) -> Object:
        """Make an Istio object, perhaps with `exportTo`."""
        if self.chance(35):
            hidden = HIDDEN[:1] if kind == "ServiceEntry" else ()
            spec["exportTo"] = self.random.choice((*EXPORTS, *hidden))
        namespace = self.random.choice(NAMESPACES)
        more: dict[str, object] = {"created": self.created(), "spec": spec}
        if self.chance(15):
            more["labels"] = {"team": "red"}
        return obj(ISTIO, kind, self.name(prefix), namespace, **more)

    def virtual_service(self) -> Object:
        spec: dict[str, object] = {"hosts": self.some((*NAMES, *KUBERNETES, *OUTSIDE), 3)}
        if self.chance(20):
            spec["hosts"] = [self.random.choice(WILDCARDS[:4]), *self.some(NAMES, 1)]
        if self.chance(40):
            spec["gateways"] = self.random.choice((["mesh"], ["gw"], ["a/gw", "mesh"]))
        kind = self.random.choice(("http", "http", "http", "tcp", "tls"))
        if kind == "http":
            spec["http"] = [self.http() for _ in range(self.random.randint(1, 3))]
            if self.chance(10):
                spec["tcp"] = [{"route": [{"destination": self.destination()}]}]
            if self.chance(20):
                delegate = {"name": self.random.choice(("d0", "d1")), "namespace": "b"}
                spec["http"] = [{"delegate": delegate}, self.http()]
        elif kind == "tcp":
            spec["tcp"] = [{"route": [{"destination": self.destination()}]}]
        else:
            spec["hosts"] = self.some(OUTSIDE, 2)
            match = [{"port": 443, "sniHosts": spec["hosts"]}]
            spec["tls"] = [{"match": match, "route": [{"destination": self.destination()}]}]
        return self.istio("VirtualService", "vs", spec)

    def delegate(self, name: str) -> Object:
        spec: dict[str, object] = {"http": [self.http()]}
        if self.chance(40):
            spec["exportTo"] = self.random.choice(EXPORTS)
        return obj(ISTIO, "VirtualService", name, "b", created=self.created(), spec=spec)

    def http(self) -> dict[str, object]:
        route: dict[str, object] = {
            "route": [
                {"destination": self.destination(), "weight": 50}
                for _ in range(self.random.randint(1, 2))
            ]
        }
        if self.chance(30):
            route["match"] = [
                {"sourceNamespace": self.random.choice(NAMESPACES)},
                {"uri": {"prefix": "/x"}, "gateways": ["mesh"], "port": 80},
            ][: self.random.randint(1, 2)]
        if self.chance(20):
            route["mirror"] = self.destination()
        elif self.chance(10):
            route["mirrors"] = [{"destination": self.destination()}]
        return route

    def destination(self) -> dict[str, object]:
        hosts = (*NAMES, *KUBERNETES, *OUTSIDE, *WILDCARDS[:1])
        found: dict[str, object] = {"host": self.random.choice(hosts)}
        if self.chance(50):
            found["port"] = {"number": self.random.choice(PORTS)[0]}
        return found

    def http_route(self) -> Object:
        backend = {
            "name": self.random.choice(NAMES),
            "namespace": self.random.choice(NAMESPACES[:3]),
            "port": self.random.choice(PORTS)[0],
            "weight": self.random.randrange(2),
        }
        rule: dict[str, object] = {"backendRefs": [backend, {"name": "s0", "port": 80}]}
        if self.chance(20):
            mirror = {"backendRef": {"name": self.random.choice(NAMES), "port": 80}}
            rule["filters"] = [{"type": "RequestMirror", "requestMirror": mirror}]
        spec = {"parentRefs": [self.parent()], "rules": [rule]}
        namespace = self.random.choice(NAMESPACES[:3])
        version = "gateway.networking.k8s.io/v1"
        name = self.name("route")
        return obj(version, "HTTPRoute", name, namespace, created=self.created(), spec=spec)

    def parent(self) -> dict[str, object]:
        found: dict[str, object] = {"group": "", "kind": "Service"}
        found["name"] = self.random.choice(NAMES)
        if self.chance(70):
            found["namespace"] = self.random.choice(NAMESPACES[:3])
        if self.chance(20):
            found["port"] = 80
        return found

    def sidecar(self, namespace: str) -> Object:
        spec: dict[str, object] = {}
        if self.chance(60):
            labels = self.random.choice((*LABELS, {}, {"tier": "web"}))
            spec["workloadSelector"] = {"labels": labels} if labels else {}
        if self.chance(90):
            spec["egress"] = self.egress()
        if self.chance(10) or not spec.get("egress"):
            spec["outboundTrafficPolicy"] = {"mode": "ALLOW_ANY"}
        name = self.name("sc")
        return obj(ISTIO, "Sidecar", name, namespace, created=self.created(), spec=spec)

    def egress(self) -> list[dict[str, object]]:
        """Make listeners with distinct ports, and perhaps a catch-all at the end."""
        ports = self.random.sample(PORTS, self.random.choice((0, 0, 0, 1, 2)))
        listeners: list[dict[str, object]] = [
            {
                "port": {
                    "number": number,
                    "name": f"p{number}",
                    "protocol": "HTTP_PROXY" if self.chance(15) else protocol_of(name),
                },
                "hosts": self.hosts(),
            }
            for number, name in ports
        ]
        if not listeners or self.chance(60):
            listeners.append({"hosts": self.hosts()})
        return listeners

    def hosts(self) -> list[str]:
        exact = self.chance(50)
        namespaces = ("a", "b", "c", ".", ROOT_NAMESPACE, *(() if exact else ("*", "*", "*")))
        names = (*KUBERNETES, *OUTSIDE, *WILDCARDS[:1], *(() if exact else WILDCARDS))
        entries = [
            f"{self.random.choice(namespaces)}/{self.random.choice(names)}"
            for _ in range(self.random.randint(1, 6))
        ]
        if self.chance(25):
            excluded = self.random.choice(("~", "~a", "~b", "~."))
            entries.append(f"{excluded}/{self.random.choice((*KUBERNETES, *WILDCARDS))}")
        return list(dict.fromkeys(entries))
