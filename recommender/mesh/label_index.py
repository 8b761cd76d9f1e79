"""Find what selects some labels, and what some selector chooses, without looking at everything.

A namespace may have thousands of workloads, each with a selector of its own. Each is looked up by
one label: the rarest of those that count.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Generic, TypeVar

from recommender.mesh.objects import Labels

T = TypeVar("T")
K = TypeVar("K")

_Label = tuple[str, str]


@dataclass(frozen=True, slots=True)
class SelectorIndex(Generic[T]):
    """Find the objects whose selector chooses some labels; an empty selector chooses any."""

    _by_label: Mapping[_Label | None, list[tuple[int, Labels, T]]]

    @classmethod
    def of(cls, objects: Iterable[tuple[Labels, T]]) -> SelectorIndex[T]:
        """Index objects with their selectors."""
        each = list(objects)
        common = Counter(label for selector, _ in each for label in selector.items())
        by_label: dict[_Label | None, list[tuple[int, Labels, T]]] = defaultdict(list)
        for place, (selector, found) in enumerate(each):
            rarest = min(selector.items(), key=lambda label: common[label], default=None)
            by_label[rarest].append((place, selector, found))
        return cls(dict(by_label))

    def selecting(self, labels: Labels) -> list[T]:
        """List the objects that select these labels, in the order in which they were given."""
        found = [
            (place, each)
            for label in (None, *labels.items())
            for place, selector, each in self._by_label.get(label, ())
            if selector.items() <= labels.items()
        ]
        return [each for _, each in sorted(found, key=itemgetter(0))]


@dataclass(frozen=True, slots=True)
class LabelIndex(Generic[T]):
    """Find the objects whose labels a selector chooses."""

    _objects: tuple[tuple[Labels, T], ...]
    _by_label: Mapping[_Label, list[int]]

    @classmethod
    def of(cls, objects: Iterable[tuple[Labels, T]]) -> LabelIndex[T]:
        """Index objects with their labels."""
        each = tuple(objects)
        by_label: dict[_Label, list[int]] = defaultdict(list)
        for place, (labels, _) in enumerate(each):
            for label in labels.items():
                by_label[label].append(place)
        return cls(each, dict(by_label))

    def chosen_by(self, selector: Labels) -> Iterator[tuple[Labels, T]]:
        """Yield what a selector chooses, with its labels, in the order in which it was given."""
        places: Sequence[int] = range(len(self._objects))
        for label in selector.items():
            places = min(places, self._by_label.get(label, ()), key=len)
        for labels, found in map(self._objects.__getitem__, places):
            if selector.items() <= labels.items():
                yield labels, found


def selectors_by(objects: Iterable[tuple[K, Labels, T]]) -> Mapping[K, SelectorIndex[T]]:
    """Index objects with their selectors for each namespace, or whatever else they are kept by."""
    groups: dict[K, list[tuple[Labels, T]]] = defaultdict(list)
    for key, selector, found in objects:
        groups[key].append((selector, found))
    return {key: SelectorIndex.of(each) for key, each in groups.items()}
