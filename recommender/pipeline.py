"""The stages in a row: logs and a mesh in, a report and Sidecar files out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from recommender.access_logs import (
    OTHER_OUTPUT,
    UNKNOWN_POD,
    LineCounts,
    LogBatch,
    LogFormat,
    ObjectStorage,
    SkippedLines,
    SourcePod,
    formats_as_configured,
    formats_to_try,
    log_format,
    read_access_logs,
)
from recommender.config_dump import read_config_dump
from recommender.discovery import recommend_discovery_selectors
from recommender.errors import InputError, UsageError
from recommender.flows import Flows, summarise_flows
from recommender.istio.admission import admission_notes
from recommender.istio.discovery import discovery_notes
from recommender.istio.kubernetes_clusters import kubernetes_cluster_notes
from recommender.istio.settings_notes import settings_notes
from recommender.istio.sidecar_scope import NEWEST_VERSION, OLDEST_VERSION
from recommender.istio.telemetry import access_log_formats
from recommender.mesh import Mesh, MeshNote, load_mesh
from recommender.mesh.topology import place_notes
from recommender.recommendation import Recommendations, choose_namespaces, recommend
from recommender.report import (
    DiscoveryReport,
    FlowReport,
    Report,
    SizeReport,
    flow_report,
    render_discovery_yaml,
)
from recommender.savings import TradeOff, chosen_namespaces, measure_savings, trade_offs
from recommender.service_graph import Graph, build_service_graph
from recommender.settings import Settings
from recommender.sidecars import (
    WrittenFiles,
    render_namespace_sidecar,
    render_sidecar,
    without_refused,
    without_unusable_names,
    write_own_file,
    write_sidecars,
)
from recommender.sidecars.words import counted

Progress = Callable[[str], None]
"""Is told in a few words what is going on."""

_MULTI_CLUSTER_DOMAIN = "clusterset.local"
_STRICT_HINT = "without --strict they are counted and passed over"
_LOG_HINT = (
    "name access logs of istio-proxy containers; where their format is not in the mesh dump, "
    "tell it with --log-format"
)
_FORMAT_HINT = "name access logs of istio-proxy containers; --log-format is their only format"
_POD_HINT = (
    "name files as a node does, <pod>_<namespace>_istio-proxy-<id>.log, or tell the pod "
    "with --source-pod"
)


@dataclass(frozen=True, slots=True)
class Sources:
    """Name what a run reads: log and mesh sources, and the standard input for the log source `-`.

    `source_pod` is the namespace and name of the pod whose log has no path to tell, or the
    namespace alone. `storage` finds and opens what is in object storage.
    A mesh source may be `NAME=SRC`, NAME that of its Kubernetes cluster: see `load_mesh`.
    """

    logs: tuple[str | Path, ...]
    mesh: tuple[str | Path, ...] = ()
    stdin: BinaryIO | None = None
    source_pod: SourcePod | None = None
    storage: ObjectStorage | None = None


def recommend_sidecars(
    sources: Sources,
    out: Path | None = None,
    settings: Settings | None = None,
    progress: Progress = lambda _: None,
) -> Report:
    """Read logs and a mesh, decide for every workload, and write the Sidecars to a folder.

    Raises:
        InputError: A source cannot be read, no line can be used, no pod is known, or a line or
            object could not be used and the settings are strict.
        OutputError: The folder cannot be written.
    """
    settings = settings or Settings()
    mesh, lines, recommendations, _ = _decided(sources, settings, progress)
    written = None
    if out is not None:
        progress(f"writing {len(recommendations.recommended):,} Sidecars")
        written = write_recommendations(recommendations, out, settings, mesh)
    return Report(
        recommendations=recommendations,
        lines=lines,
        mesh_notes=mesh.notes,
        istio_version=mesh.istio_version or NEWEST_VERSION,
        istio_version_known=mesh.istio_version is not None,
        out=None if out is None else str(out),
        written=written,
    )


def size_sidecars(
    sources: Sources,
    settings: Settings | None = None,
    progress: Progress = lambda _: None,
    config_dump: Path | None = None,
) -> SizeReport:
    """Read logs and a mesh, decide for every workload, and estimate what the Sidecars save.

    The config_dump of a real proxy corrects the estimates.

    Raises:
        InputError: As `recommend_sidecars` does; or the config_dump cannot be read, or is of no
            proxy of the mesh.
    """
    settings = settings or Settings()
    dump = None
    if config_dump is not None:
        progress("reading the config_dump")
        dump = read_config_dump(config_dump)
    mesh, lines, recommendations, compared = _decided(sources, settings, progress, compare=True)
    progress("estimating configuration and pushes")
    return SizeReport(
        savings=measure_savings(mesh, recommendations, dump),
        recommended=len(recommendations.recommended),
        left_out=len(recommendations.left_out),
        trade_offs=compared,
        namespaces=tuple(each.namespace for each in recommendations.namespace_sidecars),
        lines=lines,
        mesh_notes=mesh.notes,
        istio_version=mesh.istio_version or NEWEST_VERSION,
        istio_version_known=mesh.istio_version is not None,
    )


def _decided(
    sources: Sources, settings: Settings, progress: Progress, *, compare: bool = False
) -> tuple[Mesh, LineCounts, Recommendations, tuple[TradeOff, ...]]:
    """Read logs and a mesh, and decide for every workload, and whether namespaces share a Sidecar.

    What either costs is compared where that decides, or if it is asked for.
    """
    mesh, lines, graph = _read_graph(sources, settings, progress)
    progress(f"deciding for {len({workload.id for workload in mesh.workloads}):,} workloads")
    with_options = compare or settings.granularity != "workload"
    found = recommend(graph, mesh, settings, with_options=with_options)
    found = without_refused(without_unusable_names(found), settings)
    if not with_options:
        return mesh, lines, found, ()
    progress("comparing a Sidecar per namespace with one per workload")
    compared = trade_offs(mesh, found)
    chosen = chosen_namespaces(compared, settings.granularity)
    return mesh, lines, choose_namespaces(found, chosen), compared


def _read_graph(
    sources: Sources, settings: Settings, progress: Progress
) -> tuple[Mesh, LineCounts, Graph]:
    """Read a mesh and logs, and build the service graph of both."""
    mesh = read_mesh(sources, settings, progress)
    flows = read_flows(sources, settings, progress, mesh)
    progress("building the service graph")
    _check_domain(flows, mesh)
    graph = build_service_graph(flows, mesh)
    _check_known(graph, flows, settings)
    return mesh, flows.lines, graph


def report_discovery(
    sources: Sources,
    out: Path | None = None,
    settings: Settings | None = None,
    progress: Progress = lambda _: None,
) -> DiscoveryReport:
    """Read logs and a mesh, find the namespaces that nothing needs, and selectors that hide them.

    The part of the MeshConfig that does so is written to the file `out`.

    Raises:
        InputError: A source cannot be read, no line can be used, no pod is known, or a line or
            object could not be used and the settings are strict.
        OutputError: The file cannot be written.
    """
    settings = settings or Settings()
    mesh, lines, graph = _read_graph(sources, settings, progress)
    progress(f"looking for idle ones among {len(mesh.namespaces):,} namespaces")
    answer = recommend_discovery_selectors(graph, mesh, settings)
    report = DiscoveryReport(
        answer=answer,
        lines=lines,
        mesh_notes=mesh.notes,
        istio_version=mesh.istio_version or NEWEST_VERSION,
        istio_version_known=mesh.istio_version is not None,
        out=None if out is None else str(out),
    )
    if out is not None:
        progress("writing the selectors")
        write_own_file(out, render_discovery_yaml(report))
    return report


def report_flows(
    sources: Sources,
    settings: Settings | None = None,
    progress: Progress = lambda _: None,
) -> FlowReport:
    """Read logs, and a mesh if there is one, and report who called whom.

    Raises:
        InputError: A source cannot be read, no line can be used, or a line or object could not
            be used and the settings are strict.
    """
    settings = settings or Settings()
    mesh = read_mesh(sources, settings, progress) if sources.mesh else None
    return flow_report(read_flows(sources, settings, progress, mesh), mesh)


def read_mesh(sources: Sources, settings: Settings, progress: Progress) -> Mesh:
    """Load the mesh; strict settings allow no object that had to be left out."""
    progress("loading the mesh")
    mesh = load_mesh(
        sources.mesh,
        cluster_domain=settings.cluster_domain,
        root_namespace=settings.root_namespace,
        version=settings.istio,
    )
    found = (
        *admission_notes(mesh),
        *discovery_notes(mesh),
        *kubernetes_cluster_notes(mesh),
        *place_notes(mesh),
        *_version_notes(mesh),
        *settings_notes(mesh, settings.pinned_hosts, settings.root_namespace),
        *_configured_formats(mesh)[1],
    )
    mesh = replace(mesh, notes=tuple(sorted((*mesh.notes, *found))))
    refused = [note for note in mesh.notes if note.is_loss]
    if settings.strict and refused:
        number = sum(note.count for note in refused)
        what = f"{refused[0].reason}; {counted(number, 'object')} could not be used"
        raise InputError(what, where=refused[0].where, hint=_STRICT_HINT)
    return mesh


def _version_notes(mesh: Mesh) -> list[MeshNote]:
    """Say so where the rules of istiod's version are not those that the model knows."""
    version = mesh.istio_version
    if version is None or OLDEST_VERSION <= version <= NEWEST_VERSION:
        return []
    nearest = min(max(version, OLDEST_VERSION), NEWEST_VERSION)
    reason = f"a version whose rules are not known, those of {_dotted(nearest)} were used"
    return [MeshNote(reason, f"Istio {_dotted(version)}")]


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _log_formats(settings: Settings, mesh: Mesh | None) -> tuple[LogFormat, ...]:
    """Choose the formats that log lines may have.

    One that is set is the only one. Else those that the mesh configures come first, then the
    known defaults.
    """
    if settings.log_format:
        return log_format(settings.log_format)
    return formats_to_try(_configured_formats(mesh)[0] if mesh else [])


def _configured_formats(mesh: Mesh) -> tuple[list[LogFormat], list[MeshNote]]:
    """Compile the log formats of a mesh; name those that cannot be used, with what they lack."""
    formats: list[LogFormat] = []
    notes: list[MeshNote] = []
    for where, configured in access_log_formats(mesh).items():
        try:
            formats += formats_as_configured(
                configured.text, configured.labels, where, omits_empty=configured.omits_empty
            )
        except UsageError as error:
            notes.append(MeshNote(f"a log format that cannot be used: {error.what}", where))
    return formats, notes


def read_flows(
    sources: Sources, settings: Settings, progress: Progress, mesh: Mesh | None = None
) -> Flows:
    """Read the logs and sum them up; the mesh tells which formats their lines may have.

    Raises:
        InputError: A source cannot be read, or no line can be used.
        UsageError: The log format of the settings cannot be used.
    """
    formats = _log_formats(settings, mesh)
    progress("reading the logs")
    batches = read_access_logs(
        sources.logs,
        stdin=sources.stdin,
        source_pod=sources.source_pod,
        storage=sources.storage,
        formats=formats,
    )
    flows = summarise_flows(_reporting(batches, progress))
    _check_lines(flows.lines, settings, mesh)
    return flows


def write_recommendations(
    recommendations: Recommendations, out: Path, settings: Settings, mesh: Mesh | None = None
) -> WrittenFiles:
    """Write every recommended Sidecar to a folder.

    Files of earlier runs go, but for those of workloads without evidence this time, and of
    namespaces that the dump lacks: silence is no evidence against them. Without a mesh all go.
    """
    rendered = {
        (r.workload.namespace, r.name): render_sidecar(r, settings)
        for r in recommendations.recommended
        if r.selector
    }
    rendered |= {
        (each.namespace, each.name): render_namespace_sidecar(each, settings)
        for each in recommendations.namespace_sidecars
    }
    silent = {
        (item.workload.namespace, name) for item in recommendations.left_out for name in item.keeps
    }
    seen = {workload.id.namespace for workload in mesh.workloads} if mesh else set()

    def keep(place: tuple[str, str]) -> bool:
        return mesh is not None and (place in silent or place[0] not in seen)

    return write_sidecars(out, rendered, keep)


def _reporting(batches: Iterable[LogBatch], progress: Progress) -> Iterator[LogBatch]:
    read = 0
    for batch in batches:
        read += batch.lines.read
        progress(f"reading the logs: {read:,} lines")
        yield batch


def _check_lines(lines: LineCounts, settings: Settings, mesh: Mesh | None) -> None:
    lost = [skipped for skipped in lines.skipped if skipped.reason not in OTHER_OUTPUT]
    most = max(lost or lines.skipped, key=lambda s: s.lines, default=None)
    if lines.read == 0:
        raise InputError("the logs are empty", hint=_LOG_HINT)
    if lines.used == 0:
        reason = f", most of them: {most.reason}" if most else ""
        raise InputError(
            f"none of the {lines.read:,} lines can be used{reason}",
            where=most.example if most else None,
            hint=_line_hint(most, settings, mesh),
        )
    if settings.strict and lost and most:
        total = sum(skipped.lines for skipped in lost)
        what = f"{counted(total, 'line')} cannot be used, most of them: {most.reason}"
        raise InputError(what, where=most.example, hint=_STRICT_HINT)


def _line_hint(most: SkippedLines | None, settings: Settings, mesh: Mesh | None) -> str:
    """Say what to try where no line can be used."""
    if most and most.reason == UNKNOWN_POD:
        return _POD_HINT
    if settings.log_format:
        return _FORMAT_HINT
    notes = _configured_formats(mesh)[1] if mesh else []
    return f"{notes[0].where} has {notes[0].reason}" if notes else _LOG_HINT


def _check_domain(flows: Flows, mesh: Mesh) -> None:
    """Refuse logs whose Kubernetes services all have another DNS domain than the mesh."""
    namespaces = {service.meta.namespace for service in mesh.services}
    entries = {host for entry in mesh.service_entries for host in entry.hosts}
    domains: set[str] = set()
    for host in flows.frame["destination_host"].drop_nulls().unique():
        name, found, domain = str(host).partition(".svc.")
        if found and name.rpartition(".")[2] in namespaces and host not in entries:
            domains.add(domain)
    domains.discard(_MULTI_CLUSTER_DOMAIN)
    if domains and mesh.cluster_domain not in domains:
        raise InputError(
            f"the logs name services of {', '.join(sorted(domains)[:3])}, "
            f"none of the domain {mesh.cluster_domain}",
            hint="set cluster_domain in the settings",
        )


def _check_known(graph: Graph, flows: Flows, settings: Settings) -> None:
    """Refuse logs of another mesh; strict settings allow no pod that is not known."""
    unknown = graph.graph["unknown_pods"]
    if unknown and settings.strict:
        what = f"the mesh does not know {counted(len(unknown), 'pod')} of those that logged"
        where = f"{unknown[0].namespace}/{unknown[0].name}"
        raise InputError(what, where=where, hint=_STRICT_HINT)
    if unknown and len(unknown) == flows.writers.height:
        first = unknown[0]
        raise InputError(
            f"the mesh knows none of the {len(unknown):,} pods that logged, "
            f"such as {first.namespace}/{first.name}",
            hint="dump the pods and their controllers of the mesh that these logs come from",
        )
