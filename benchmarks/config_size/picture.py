"""The summary of a run → a picture in SVG: how the configuration of proxies is distributed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import log10

from benchmarks.config_size.report import amount_of
from benchmarks.config_size.result import AFTER, BEFORE, Json

_WIDTH, _HEIGHT = 760, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 24, 66, 54
_LEAST_HEIGHT = 2  # so that a single proxy shows
_LEGEND = {AFTER: _LEFT, BEFORE: 490}  # where it begins
_COLOURS = {BEFORE: "#9aa5b1", AFTER: "#1f6feb"}
_NAMES = {BEFORE: "no Sidecar", AFTER: "recommended Sidecars"}
_INK, _PALE = "#24292f", "#d0d7de"
_TICKS = ((1e4, "10 kB"), (1e5, "100 kB"), (1e6, "1 MB"), (1e7, "10 MB"))


def picture(summary: Json) -> str:
    """Draw the bytes that each proxy is sent, before and after, on a logarithmic axis."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" font-family="sans-serif" font-size="13" '
        f'fill="{_INK}">',
        f"<title>{_title(summary)}</title>",
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{_LEFT}" y="24" font-size="15" font-weight="bold">{_title(summary)}</text>',
        *_axes(summary),
        *(line for name in _COLOURS for line in _bars(summary, name)),
        *(line for name in _COLOURS for line in _legend(summary, name)),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _title(summary: Json) -> str:
    return f"What istiod sends each of {summary['mesh']['proxies']:,} proxies"


def _most(summary: Json) -> int:
    return max(int(count) for name in _COLOURS for count in summary["histogram"][name])


def _across(size: float, edges: Sequence[int]) -> float:
    low, high = log10(edges[0]), log10(edges[-1])
    return _LEFT + (log10(size) - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)


def _up(count: float, most: int) -> float:
    return _HEIGHT - _BOTTOM - count / most * (_HEIGHT - _TOP - _BOTTOM)


def _axes(summary: Json) -> Iterator[str]:
    edges, most = summary["histogram"]["edges"], _most(summary)
    ground = _HEIGHT - _BOTTOM
    for size, name in _TICKS:
        x = _across(size, edges)
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{ground}" stroke="{_PALE}"/>'
        yield f'<text x="{x:.1f}" y="{ground + 18}" text-anchor="middle">{name}</text>'
    for count in range(0, most + 1, 10 ** int(log10(most))):
        y = _up(count, most)
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{count:,}</text>'
    yield f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{ground}" y2="{ground}" stroke="{_INK}"/>'
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    axis = "bytes by xDS, logarithmic"
    yield f'<text x="{middle:.0f}" y="{ground + 40}" text-anchor="middle">{axis}</text>'
    yield (
        f'<text x="16" y="{(_TOP + ground) / 2:.0f}" text-anchor="middle" '
        f'transform="rotate(-90 16 {(_TOP + ground) / 2:.0f})">proxies</text>'
    )


def _bars(summary: Json, name: str) -> Iterator[str]:
    edges, most = summary["histogram"]["edges"], _most(summary)
    for (low, high), count in zip(pairwise(edges), summary["histogram"][name], strict=True):
        if count:
            left, right = _across(low, edges), _across(high, edges)
            top = min(_up(count, most), _HEIGHT - _BOTTOM - _LEAST_HEIGHT)
            yield (
                f'<rect x="{left + 0.5:.1f}" y="{top:.1f}" width="{right - left - 1:.1f}" '
                f'height="{_HEIGHT - _BOTTOM - top:.1f}" fill="{_COLOURS[name]}"/>'
            )


def _legend(summary: Json, name: str) -> Iterator[str]:
    x, sizes = _LEGEND[name], summary["variants"][name]["xds_bytes"]
    text = f"{_NAMES[name]}: median {amount_of(sizes['median'])}"
    if name == AFTER:
        text += f", largest {amount_of(sizes['largest'])}"
    yield f'<rect x="{x}" y="38" width="12" height="12" fill="{_COLOURS[name]}"/>'
    yield f'<text x="{x + 18}" y="49">{text}</text>'
