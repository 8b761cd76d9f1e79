"""Lines of a proxy in everything that ships logs, as its documentation says.

`python -m tests.access_logs.wrappings` writes the files of `data/wrapped`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from tests.access_logs.helpers import DATA, HEX

WRAPPED: Final = DATA / "wrapped"
NAMESPACE, POD, CONTAINER = "shop", "frontend-5bdb9f9e92-p2jsp", "istio-proxy"
TIME = "2026-11-23T12:16:11.402123456Z"
UID = "0f6c5a3e-8f6e-4c55-9c1b-2f4b8a1d7e90"
Wrapping = Callable[[list[str]], list[str]]
Json = dict[str, Any]

LABELS = {"app": "frontend", "app.kubernetes.io/name": "frontend", "log": "true", "name": "x"}
ANNOTATIONS = {
    "sidecar.istio.io/status": '{"containers":["istio-proxy"],"pod_name":"x"}',
    "kubernetes": "{",
}
FLUENT = {
    "pod_name": POD,
    "namespace_name": NAMESPACE,
    "pod_id": UID,
    "labels": LABELS,
    "annotations": ANNOTATIONS,
    "host": "node-1",
    "container_name": CONTAINER,
    "docker_id": "0123456789abcdef" * 4,
    "container_image": "docker.io/istio/proxyv2:1.31.0",
}
BEAT = {
    "container": {"name": CONTAINER},
    "node": {"name": "node-1", "hostname": "node-1"},
    "pod": {"uid": UID, "ip": "10.0.0.1", "name": POD},
    "namespace": NAMESPACE,
    "labels": {"app": "frontend", "app_kubernetes_io/name": "frontend"},
    "replicaset": {"name": "frontend-5bdb9f9e92"},
}
VECTOR = {
    "container_image": "docker.io/istio/proxyv2:1.31.0",
    "container_name": CONTAINER,
    "pod_ip": "10.0.0.1",
    "pod_labels": {**LABELS, "message": "x", "stream": "x"},
    "pod_name": POD,
    "pod_namespace": NAMESPACE,
    "pod_node_name": "node-1",
    "pod_owner": "ReplicaSet/frontend-5bdb9f9e92",
}
FILE = f"/var/log/containers/{POD}_{NAMESPACE}_{CONTAINER}-{HEX}.log"
LOKI = {"namespace": NAMESPACE, "pod": POD, "container": CONTAINER, "job": "shop/frontend"}
SLS = {"_pod_name_": POD, "_namespace_": NAMESPACE, "_container_name_": CONTAINER}
SLS_MARKS = {"__time__": "1795436171", "__source__": "10.1.0.4", "__topic__": ""}


def compact(value: object) -> str:
    """Write JSON as most programs do."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def each(wrap: Callable[[str], str]) -> Wrapping:
    """Wrap line by line."""
    return lambda lines: list(map(wrap, lines))


def records(make: Callable[[str], Json]) -> Wrapping:
    """Make a JSON record of each line."""
    return each(lambda line: compact(make(line)))


def expanded(make: Callable[[Json], Json]) -> Wrapping:
    """Make a JSON record of what is in each line, which is JSON."""
    return each(lambda line: compact(make(json.loads(line))))


def docker(line: str, end: str = "\n") -> str:
    return compact({"log": line + end, "stream": "stdout", "time": TIME})


def split_cri(line: str) -> Iterable[str]:
    middle = len(line) // 2
    return (f"{TIME} stdout P {line[:middle]}", f"{TIME} stdout F {line[middle:]}")


def split_docker(line: str) -> Iterable[str]:
    middle = len(line) // 2
    return (docker(line[:middle], ""), docker(line[middle:]))


def split(parts: Callable[[str], Iterable[str]]) -> Wrapping:
    return lambda lines: [part for line in lines for part in parts(line)]


def fluent(**more: object) -> Json:
    return {"stream": "stdout", "time": TIME, "kubernetes": FLUENT, **more}


def fluent_bit(line: str) -> Json:
    return {"date": 1795436171.402123, **fluent(log=line, _p="F")}


def beat(**more: object) -> Json:
    return {
        "@timestamp": "2026-11-23T12:16:11.402Z",
        "@metadata": {"beat": "filebeat", "type": "_doc", "version": "8.15.0"},
        "stream": "stdout",
        "log": {"offset": 4711, "file": {"path": "/var/log/containers/x.log"}},
        "input": {"type": "container"},
        "agent": {"name": "filebeat-x", "type": "filebeat"},
        "ecs": {"version": "8.0.0"},
        "kubernetes": BEAT,
        **more,
    }


def beat_without_names(line: str) -> Json:
    """Wrap a line as Filebeat does where no processor adds the pod."""
    log = {"offset": 4711, "file": {"path": FILE}}
    return {key: value for key, value in beat(message=line, log=log).items() if key != "kubernetes"}


def vector(line: str) -> Json:
    return {
        "file": f"/var/log/pods/{NAMESPACE}_{POD}_{UID}/{CONTAINER}/0.log",
        "kubernetes": VECTOR,
        "message": line,
        "source_type": "kubernetes_logs",
        "stream": "stdout",
        "timestamp": TIME,
    }


def stern(line: str) -> Json:
    return {
        "message": line + "\n",
        "nodeName": "node-1",
        "namespace": NAMESPACE,
        "podName": POD,
        "containerName": CONTAINER,
    }


def extjson(line: str) -> str:
    """Put a line into stern's extjson: as it is if it is JSON, else as a string."""
    try:
        message = line if json.loads(line) is not None else compact(line)
    except ValueError:
        message = compact(line)
    return (
        f'{{"namespace": "{NAMESPACE}", "pod": "{POD}", "container": "{CONTAINER}", '
        f'"message": {message}}}'
    )


def stream(lines: list[str]) -> Json:
    values = [[str(number), line] for number, line in enumerate(lines)]
    return {"stream": LOKI, "values": values}


def loki_answer(lines: list[str]) -> Json:
    half = len(lines) // 2
    noted = stream(lines[half:])
    for value in noted["values"]:
        value.append({"structuredMetadata": {"trace_id": "]}"}})
    data = {"resultType": "streams", "result": [stream(lines[:half]), noted], "stats": {"x": [1]}}
    return {"status": "success", "data": data}


def loki_metadata(lines: list[str], wrap: Callable[[Json], Json]) -> list[Json]:
    """Make a stream whose lines tell their pod one by one."""
    names = {f"k8s_{key}_name": LOKI[key] for key in ("namespace", "pod", "container")}
    values = [["1", line, wrap({"trace_id": "]}", **names})] for line in lines]
    return [{"stream": {"service_name": "x"}, "values": values}]


def loki_categorised(lines: list[str]) -> Json:
    def wrap(metadata: Json) -> Json:
        return {"structuredMetadata": metadata, "parsed": {"pod": "evil", "user_agent": lines[0]}}

    data = {
        "resultType": "streams",
        "encodingFlags": ["categorize-labels"],
        "result": loki_metadata(lines, wrap),
    }
    return {"status": "success", "data": data}


def logcli_text(labels: Json) -> Wrapping:
    shown = ", ".join(f"{key}={json.dumps(value)}" for key, value in sorted(labels.items()))
    return each(lambda line: f"2026-11-23T20:16:11+08:00 {{{shown}}}   {line}")


def grafana(lines: list[str]) -> list[Json]:
    return [
        {
            "line": line,
            "timestamp": "1795436171402123456",
            "date": "2026-11-23T12:16:11.402Z",
            "fields": {"tsNs": "1795436171402123456", "id": "x", **LOKI},
        }
        for line in lines
    ]


def hit(source: Json) -> Json:
    return {"_index": "logs-2026.11.23", "_id": "x", "_score": None, "_source": source}


def search_answer(lines: list[str]) -> Json:
    hits = [
        hit((fluent_bit, vector, lambda x: beat(message=x))[n % 3](x)) for n, x in enumerate(lines)
    ]
    total = {"value": len(lines), "relation": "eq"}
    return {
        "took": 3,
        "timed_out": False,
        "_shards": {"total": 1, "failed": 0},
        "hits": {"total": total, "max_score": 1.0, "hits": hits},
    }


def attribute(key: str, value: object) -> Json:
    kinds = {str: "stringValue", int: "intValue"}
    shown = str(value) if isinstance(value, int) else value
    return {"key": key, "value": {kinds[type(value)]: shown} if value is not None else {}}


def otlp_value(value: object) -> Json:
    """Wrap a value as OTLP does, with all that is in it."""
    match value:
        case dict():
            return {"kvlistValue": {"values": [otlp_attribute(*item) for item in value.items()]}}
        case int():
            return {"intValue": str(value)}
        case None:
            return {}
        case _:
            return {"stringValue": value}


def otlp_attribute(key: str, value: object) -> Json:
    return {"key": key, "value": otlp_value(value)}


def otlp_without_names(logs: list[Json]) -> Json:
    return {"resourceLogs": [{"resource": {}, "scopeLogs": [{"scope": {}, "logRecords": logs}]}]}


def path_record(line: str) -> Json:
    """Make the record of a line that a collector took as the runtime wrote it."""
    return {
        "body": {"stringValue": f"{TIME} stdout F {line}"},
        "attributes": [attribute("log.file.path", FILE)],
    }


def otlp(logs: list[Json]) -> Json:
    names = {"k8s.pod.name": POD, "k8s.namespace.name": NAMESPACE, "k8s.container.name": CONTAINER}
    resource = {"attributes": [attribute(*item) for item in names.items()]}
    scopes = [
        {"scope": {"name": "x"}, "logRecords": logs[:1]},
        {"scope": {}, "logRecords": logs[1:]},
    ]
    return {"resourceLogs": [{"resource": resource, "scopeLogs": scopes, "schemaUrl": "x"}]}


def log_record(line: str) -> Json:
    return {
        "timeUnixNano": "1795436171402123456",
        "attributes": [attribute("log.iostream", "stdout"), attribute("logtag", "F")],
        "body": {"stringValue": line},
        "traceId": "",
    }


def expanded_record(line: str) -> Json:
    return {"body": {}, "attributes": [attribute(*item) for item in json.loads(line).items()]}


def sls(line: str) -> Json:
    return {**SLS_MARKS, **SLS, "content": line}


def get_logs(lines: list[str]) -> Json:
    meta = {"count": len(lines), "progress": "Complete", "terms": [], "keys": ["content"]}
    return {"data": [dict(sorted(sls(line).items())) for line in lines], "meta": meta}


def one(make: Callable[[list[str]], Json | list[Json]]) -> Wrapping:
    return lambda lines: [compact(make(lines))]


def indented(make: Callable[[list[str]], Json | list[Json]]) -> Wrapping:
    return lambda lines: json.dumps(make(lines), indent=2).split("\n")


OF_RUNTIMES: Final[dict[str, Wrapping]] = {
    "bare": lambda lines: lines,
    "cri": each(lambda line: f"{TIME} stdout F {line}"),
    "cri-split": split(split_cri),
    "docker": each(docker),
    "docker-split": split(split_docker),
    "docker-attrs": each(
        lambda line: compact(
            {
                "log": line + "\n",
                "stream": "stdout",
                "attrs": {"tag": "x", "kubernetes": '{"pod_name":"x"}'},
                "time": TIME,
            }
        )
    ),
    "kubectl-timestamps": each(lambda line: f"{TIME} {line}"),
    "logcli-text-common-labels": logcli_text({}),
    "logcli-no-labels": records(lambda line: {"line": line, "timestamp": TIME}),
    "grafana-text": each(lambda line: f"1795436171402\t2026-11-23T12:16:11.402Z\t{line}"),
    "fluent-bit-alone": records(lambda line: {"date": 1795436171.402123, "log": line}),
    "fluent-bit-cri": records(
        lambda line: {"date": 1795436171.402123, "log": f"{TIME} stdout F {line}"}
    ),
}
"""Wrappings that do not name the pod."""

WITHOUT_NAMESPACE: Final[dict[str, Wrapping]] = {
    "kubectl-prefix": each(lambda line: f"[pod/{POD}/{CONTAINER}] {line}"),
    "kubectl-prefix-timestamps": each(lambda line: f"[pod/{POD}/{CONTAINER}] {TIME} {line}"),
    "stern": each(lambda line: f"{POD} {CONTAINER} {line}"),
}
"""Wrappings that name the pod alone."""

OF_COLLECTORS: Final[dict[str, Wrapping]] = {
    "stern-namespaces": each(lambda line: f"{NAMESPACE} {POD} {CONTAINER} {line}"),
    "stern-colours": each(
        lambda line: (
            "".join(
                f"\x1b[3{n}m{word}\x1b[0m " for n, word in enumerate((NAMESPACE, POD, CONTAINER), 1)
            )
            + line
        )
    ),
    "stern-timestamps": each(lambda line: f"{NAMESPACE} {POD} {CONTAINER} {TIME} {line}"),
    "stern-short-timestamps": each(
        lambda line: f"{NAMESPACE} {POD} {CONTAINER} 11-23 12:16:11 {line}"
    ),
    "stern-json": records(stern),
    "stern-json-timestamps": records(lambda line: stern(f"{TIME} {line}")),
    "stern-extjson": each(extjson),
    "fluent-bit": records(fluent_bit),
    "fluent-bit-keep-log": records(
        lambda line: {**fluent_bit(line), "start_time": "x", "upstream_cluster": "outbound|1||x"}
    ),
    "fluent-bit-file": each(lambda line: f"kube.x: [1795436171.402, {compact(fluent_bit(line))}]"),
    "fluent-bit-file-tag": each(
        lambda line: (
            f"kube{FILE.replace('/', '.')}: [1795436171.402123456, "
            f"{compact({'stream': 'stdout', 'log': line, '_p': 'F'})}]"
        )
    ),
    "fluent-bit-array": one(lambda lines: list(map(fluent_bit, lines))),
    "fluent-bit-stream": lambda lines: ["".join(compact(fluent_bit(line)) for line in lines)],
    "fluentd": records(
        lambda line: {"logtag": "F", **fluent(log=line), "docker": {"container_id": "0123"}}
    ),
    "fluentd-file": each(
        lambda line: f"2026-11-23T12:16:11+00:00\tkube.x\t{compact(fluent(log=line))}"
    ),
    "fluentd-printed": each(
        lambda line: f"2026-11-23 12:16:11.402123456 +0000 kube.x: {compact(fluent(log=line))}"
    ),
    "filebeat": records(lambda line: beat(message=line)),
    "filebeat-path": records(beat_without_names),
    "vector": records(vector),
    "logcli": records(lambda line: {"labels": LOKI, "line": line, "timestamp": TIME}),
    "logcli-text": logcli_text({"app": 'x"} {pod="evil"} ', **LOKI}),
    "loki": one(loki_answer),
    "loki-push": one(lambda lines: {"streams": [stream(lines)]}),
    "loki-push-metadata": one(lambda lines: {"streams": loki_metadata(lines, lambda m: m)}),
    "loki-categorised": one(loki_categorised),
    "grafana-json": one(grafana),
    "elasticsearch": one(search_answer),
    "elasticsearch-searches": one(
        lambda lines: {"took": 3, "responses": [search_answer(lines[:1]), search_answer(lines[1:])]}
    ),
    "elasticsearch-background": one(
        lambda lines: {"id": "x", "is_partial": False, "response": search_answer(lines)}
    ),
    "elasticsearch-lines": records(lambda line: hit(fluent_bit(line))),
    "otlp": one(lambda lines: otlp(list(map(log_record, lines)))),
    "otlp-path": one(lambda lines: otlp_without_names(list(map(path_record, lines)))),
    "otlp-record": one(
        lambda lines: otlp_without_names(
            [{"body": otlp_value(fluent(log=line, _p="F"))} for line in lines]
        )
    ),
    "sls": records(lambda line: {**SLS_MARKS, **SLS, "_source_": "stdout", "content": line}),
    "sls-tags": records(
        lambda line: {
            **SLS_MARKS,
            **{f"__tag__:{name}": value for name, value in SLS.items()},
            "_source_": "stdout",
            "content": line,
        }
    ),
    "sls-raw": records(lambda line: {**SLS_MARKS, **SLS, "__raw_log__": line}),
    "sls-array": one(lambda lines: list(map(sls, lines))),
    "sls-get-logs": one(get_logs),
    "sls-pull-logs": one(
        lambda lines: {"count": len(lines), "logs": list(map(sls, lines)), "next_cursor": "x"}
    ),
    "sls-dump": each(
        lambda line: json.dumps(
            {
                "__time__": 1795436171,
                "__topic__": "",
                "__source__": "10.1.0.4",
                "__time_ns_part__": [402123456],
                **{f"__tag__:{name}": value for name, value in SLS.items()},
                "_source_": "stdout",
                "content": line,
            }
        )
    ),
}
"""Wrappings that name pod and namespace."""

EXPANDED: Final[dict[str, Wrapping]] = {
    "fluent-bit-merged": expanded(lambda log: {"date": 1795436171.4, **log, **fluent()}),
    "fluent-bit-merge-key": expanded(lambda log: fluent(log_processed=log, logtag="F")),
    "fluent-bit-merge-key-namespace": expanded(
        lambda log: {
            "date": 1795436171.4,
            "cluster": "x",
            **fluent(log_processed=log),
            "kubernetes_namespace": {"name": NAMESPACE, "labels": {"a": "b"}},
        }
    ),
    "filebeat-target": expanded(
        lambda log: {**beat(envoy=log), "fields": {"env": "x"}, "tags": ["a", "b"], "error": {}}
    ),
    "filebeat-message": expanded(lambda log: beat(message=log)),
    "otlp-body": one(
        lambda lines: otlp([{"body": otlp_value(json.loads(line))} for line in lines])
    ),
    "filebeat-json": expanded(lambda log: beat(json=log)),
    "filebeat-decoded": expanded(lambda log: {**beat(), **log}),
    "otlp-attributes": one(lambda lines: otlp(list(map(expanded_record, lines)))),
    "sls-expanded": expanded(
        lambda log: {
            **SLS_MARKS,
            **SLS,
            **{key: "-" if v is None else str(v) for key, v in log.items()},
        }
    ),
}
"""Wrappings of what is in a line of JSON."""

INDENTED: Final[dict[str, Wrapping]] = {
    "loki-indented": indented(loki_answer),
    "elasticsearch-indented": indented(search_answer),
    "grafana-json-indented": indented(grafana),
    "sls-get-logs-indented": indented(get_logs),
    "otlp-record-indented": indented(
        lambda lines: otlp_without_names(
            [{"body": otlp_value(fluent(log=line, _p="F"))} for line in lines]
        )
    ),
}


def proxy_lines(name: str) -> list[str]:
    """Read some of the lines of a real Envoy, forged and malformed ones too."""
    chosen = (1, 5, 13, 15, 16, 19, 25, 30, 36, 37, 41, 45)
    lines = (DATA / name).read_bytes().decode("utf-8", "replace").split("\n")
    return [lines[number - 1] for number in chosen]


def golden_files() -> dict[str, str]:
    """Make the content of each file of `data/wrapped`, by its name."""
    text, objects = proxy_lines("istio_text.log"), proxy_lines("istio_json.log")
    of_text = {**OF_RUNTIMES, **WITHOUT_NAMESPACE, **OF_COLLECTORS, **INDENTED}
    files = {f"{name}.log": wrap(text) for name, wrap in of_text.items()}
    files |= {f"{name}.json.log": wrap(objects) for name, wrap in EXPANDED.items()}
    return {name: "".join(f"{line}\n" for line in lines) for name, lines in files.items()}


def write_files(folder: Path) -> None:
    """Write each file of `data/wrapped`."""
    folder.mkdir(exist_ok=True)
    for name, content in golden_files().items():
        (folder / name).write_bytes(content.encode())


if __name__ == "__main__":
    write_files(WRAPPED)
