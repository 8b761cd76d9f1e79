"""Namespaces to hide -> discoverySelectors that choose all others, by labels.

Each selector in force is narrowed by one or two requirements more. First sought are labels that
only the namespaces to hide have (`NotIn`): under these a new namespace is seen. Then one that all
others have and these lack. Else a label must be added to the namespaces to hide.

Source: istio pkg/kube/namespace/filter.go, pkg/config/mesh/labelselector; Kubernetes apimachinery
pkg/labels (`Requirement.Matches`: `NotIn` holds where the label is missing).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, combinations, count
from typing import Final

from recommender.discovery.contents import placed_namespaces
from recommender.discovery.model import DiscoverySelectors, SelectedBy
from recommender.discovery.names import is_namespace_name
from recommender.istio.discovery import (
    placed_hidden_namespaces,
    selectors_error,
    selectors_in_force,
)
from recommender.istio.label_selectors import is_label_key, is_label_value
from recommender.mesh import Labels, Mesh, Namespace
from recommender.mesh.mesh_config import Requirement
from recommender.mesh.objects import LabelSelector

NAME_LABEL: Final = "kubernetes.io/metadata.name"
"""The label that the API server gives to each namespace: its name."""
_ADDED_KEY: Final = "istio-discovery"
_ADDED_VALUE: Final = "disabled"
_EVERYTHING: Final[LabelSelector] = ()
_MOST_KEYS: Final = 60
_OF_KUBERNETES: Final = ("default", "kube-node-lease", "kube-public", "kube-system")
# Labels that programs keep: what they say of a namespace has nothing to do with who uses it.
_KEPT_BY_PROGRAMS: Final = re.compile(
    r"(^|[./])(kubernetes\.io|k8s\.io|openshift\.io|operatorframework\.com|argoproj\.io|fluxcd\.io|"
    r"cattle\.io|helm\.sh)/"
)


@dataclass(frozen=True, slots=True)
class _Cases:
    """Hold the labels of namespaces that are seen today, those to hide and those to keep."""

    idle: tuple[Labels, ...]
    kept: tuple[Labels, ...]


def choose_selectors(
    mesh: Mesh,
    idle: Collection[str],
    needed: Collection[str] = (),
    only_named: Collection[str] = (),
) -> DiscoverySelectors:
    """Find selectors that choose the namespaces that are seen today, but for some.

    Existing labels are of use only where those of every other namespace are known, also of those
    that are `needed`. Those of them that are `only_named`, by objects, may not be there any more:
    in a whole dump they stand in the way of no label, but are chosen by their names.
    """
    in_force, ignored = selectors_in_force(mesh.config), selectors_error(mesh.config)
    if not idle:
        return DiscoverySelectors("nothing to hide", in_force, in_force, in_force, ignored=ignored)
    by_name = _narrowed(in_force, [(NAME_LABEL, "NotIn", tuple(sorted(idle)))])
    cases, missing = _cases(mesh, idle), tuple(sorted(_missing(mesh, needed)))
    is_whole = not missing or (set(missing) <= set(only_named) and _is_whole(mesh))
    found = _by_labels_of_idle(cases) if is_whole else None
    by: SelectedBy = "existing labels"
    added: tuple[str, str] | None = None
    shows_new = True
    if found is None and is_whole:
        found, shows_new = _by_label_of_kept(cases), False
    named = tuple(filter(is_namespace_name, missing)) if found else ()
    if found is None:
        key, value = added = _label_to_add(cases)
        found, by, shows_new = [(key, "NotIn", (value,))], "labels to add", True
    selectors = _narrowed(in_force, found)
    if named:
        selectors += _narrowed(in_force, [(NAME_LABEL, "In", named)])
    unknown = () if is_whole else missing
    made = DiscoverySelectors(
        by, selectors, by_name, in_force, added, shows_new, ignored, named, unknown
    )
    if hidden_by(mesh, made, idle) != _placed(mesh, idle):
        raise AssertionError("the selectors do not choose what they are to choose")
    return made


def _missing(mesh: Mesh, needed: Iterable[str]) -> set[str]:
    """List the namespaces that the dump or a need names, or are the root, but are not in the dump.

    One that is not known may lack a label that the others have, or have one of an idle one.
    """
    known = {(n.meta.kubernetes_cluster, n.meta.name) for n in mesh.namespaces}
    root = (mesh.kubernetes_clusters[0], mesh.config.root_namespace)
    missing = {name for _, name in (placed_namespaces(mesh) | {root}) - known}
    return missing | (set(needed) - {name for _, name in known})


def _is_whole(mesh: Mesh) -> bool:
    """Tell whether the dump looks like one of every Namespace of each Kubernetes cluster.

    Who picks some hardly picks those that Kubernetes makes for itself.
    """
    known = {(n.meta.kubernetes_cluster, n.meta.name) for n in mesh.namespaces}
    return known >= {(each, name) for each in mesh.kubernetes_clusters for name in _OF_KUBERNETES}


def hidden_by(
    mesh: Mesh, made: DiscoverySelectors, idle: Collection[str]
) -> frozenset[tuple[str, str]]:
    """List what selectors hide beyond what is hidden today, once labels are added."""
    labels = dict([made.added_label]) if made.added_label else {}
    namespaces = tuple(
        replace(n, meta=replace(n.meta, labels={**n.meta.labels, **labels}))
        if n.meta.name in idle
        else n
        for n in mesh.namespaces
    )
    config = replace(mesh.config, discovery_selectors=made.selectors)
    after = placed_hidden_namespaces(replace(mesh, namespaces=namespaces, config=config))
    return after - placed_hidden_namespaces(mesh)


def _placed(mesh: Mesh, names: Collection[str]) -> frozenset[tuple[str, str]]:
    hidden = placed_hidden_namespaces(mesh)
    places = ((n.meta.kubernetes_cluster, n.meta.name) for n in mesh.namespaces)
    return frozenset(place for place in places if place[1] in names and place not in hidden)


def _cases(mesh: Mesh, idle: Collection[str]) -> _Cases:
    hidden = placed_hidden_namespaces(mesh)
    seen = [n for n in mesh.namespaces if (n.meta.kubernetes_cluster, n.meta.name) not in hidden]

    def labels(namespaces: Iterable[Namespace]) -> tuple[Labels, ...]:
        return tuple(n.meta.labels for n in namespaces)

    return _Cases(
        labels(n for n in seen if n.meta.name in idle),
        labels(n for n in seen if n.meta.name not in idle),
    )


def _narrowed(
    in_force: Iterable[LabelSelector], by: list[Requirement]
) -> tuple[LabelSelector, ...]:
    return tuple((*selector, *by) for selector in tuple(in_force) or (_EVERYTHING,))


def _by_labels_of_idle(cases: _Cases) -> list[Requirement] | None:
    """Choose by values that only namespaces to hide have: fewest labels, then fewest values."""
    values = {key: _values_of_idle_alone(cases, key) for key in _usable_keys(cases.idle)}
    covered = {key: _covered(cases, key, found) for key, found in values.items() if found}
    most = sorted(covered, key=lambda key: (-len(covered[key]), key))[:_MOST_KEYS]
    for size in (1, 2):
        fitting = [
            keys
            for keys in combinations(sorted(most), size)
            if len({n for key in keys for n in covered[key]}) == len(cases.idle)
        ]
        if fitting:
            best = min(fitting, key=lambda keys: (sum(len(values[key]) for key in keys), keys))
            return [(key, "NotIn", values[key]) for key in best]
    return None


def _covered(cases: _Cases, key: str, values: tuple[str, ...]) -> frozenset[int]:
    """Number the namespaces to hide that have one of the values."""
    found = frozenset(values)
    return frozenset(n for n, labels in enumerate(cases.idle) if labels.get(key) in found)


def _values_of_idle_alone(cases: _Cases, key: str) -> tuple[str, ...]:
    kept = {labels[key] for labels in cases.kept if key in labels}
    idle = {labels[key] for labels in cases.idle if key in labels}
    return tuple(sorted(value for value in idle - kept if is_label_value(value)))


def _by_label_of_kept(cases: _Cases) -> list[Requirement] | None:
    """Choose by a label that all namespaces to keep have, with one value or several."""
    fitting: list[tuple[int, str, Requirement]] = []
    for key in _usable_keys(cases.kept):
        values = tuple(sorted({labels.get(key, "") for labels in cases.kept}))
        if not all(key in labels for labels in cases.kept):
            continue
        is_apart = all(labels.get(key) not in values for labels in cases.idle)
        # As many values as namespaces are names, which no namespace to come would have.
        is_word = len(values) == 1 or 2 * len(values) <= len(cases.kept)
        if len(values) > 1 and not any(key in labels for labels in cases.idle):
            fitting.append((2, key, (key, "Exists", ())))
        elif is_apart and is_word and all(map(is_label_value, values)):
            fitting.append((len(values), key, (key, "In", values)))
    return [min(fitting)[2]] if fitting else None


def _usable_keys(labelled: Iterable[Labels]) -> Iterator[str]:
    for key in sorted({key for labels in labelled for key in labels}):
        if is_label_key(key) and not _KEPT_BY_PROGRAMS.search(key):
            yield key


def _label_to_add(cases: _Cases) -> tuple[str, str]:
    """Choose a value that the label has in no namespace to keep."""
    taken = {labels.get(_ADDED_KEY) for labels in cases.kept}
    numbered = (f"{_ADDED_VALUE}-{number}" for number in count(2))
    return _ADDED_KEY, next(v for v in chain([_ADDED_VALUE], numbered) if v not in taken)
