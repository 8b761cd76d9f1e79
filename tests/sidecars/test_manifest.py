"""A manifest says the recommendation, whole, to every reader of YAML."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from recommender.mesh import EgressListener, ObjectMeta, Sidecar, load_mesh
from recommender.recommendation.model import EMPTY_SCOPE, HostReason, Note, Recommendation
from recommender.settings import Settings
from recommender.sidecars import render_sidecar
from tests.sidecars.helpers import HOSTILE, evidence, host, recommendation
from tests.sidecars.istio_validation import refusals

LABEL = {"app.kubernetes.io/managed-by": "recommend-sidecars"}
WORDS = """
on y n Y N yes null ~ 1.0 1e3 0o17 0x1F 0b1 1_000 12:30 2026-11-24 .5 .inf << = - ?
*/x &a !b |c >d @e `f %g #h true False {i [j , : '" ./* ~/* 00 +1 -.5e+3
"""
AMBIGUOUS = ("", "long " * 60, *WORDS.split())
TEXT = st.text(max_size=12) | st.sampled_from([*AMBIGUOUS, *HOSTILE[:-1]])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def parsed(text: str) -> dict[str, Any]:
    """Read a manifest with the other common reader."""
    found = yaml.safe_load(text)
    assert isinstance(found, dict)
    return found


def loaded(text: str) -> Sidecar:
    """Read a manifest as the tool reads a mesh."""
    with TemporaryDirectory() as folder:
        Path(folder, "sidecar.yaml").write_bytes(text.encode())
        mesh = load_mesh([folder])
    (found,) = mesh.sidecars
    return found


def meant(made: Recommendation) -> Sidecar:
    """Say which Sidecar a recommendation stands for."""
    return Sidecar(
        meta=ObjectMeta(made.workload.namespace, made.name, labels=LABEL),
        workload_selector=made.selector,
        egress=(EgressListener(tuple(entry.host for entry in made.hosts)),),
        other_spec=made.other_spec,
    )


@pytest.mark.parametrize("value", ["12e3456", "1E999", ".9e999", "5.0e+400"])
def test_a_label_that_is_infinite_to_a_reader_of_yaml_1_2_is_quoted(value: str) -> None:
    text = render_sidecar(recommendation(selector={"commit": value}), Settings())

    assert f'commit: "{value}"' in text


def test_a_manifest_reads_like_this() -> None:
    hosts = (
        host(
            "shop/cart.shop.svc.cluster.local",
            HostReason("called", "cart.shop", evidence(requests=1200, errors=1)),
            HostReason("virtual service", "VirtualService shop/cart"),
        ),
        host("*/api.example", HostReason("pinned", "")),
    )
    made = recommendation(
        hosts=hosts,
        selector={"version": "1.0", "app": "on"},
        other_spec={"outboundTrafficPolicy": {"mode": "ALLOW_ANY"}, "ingress": [{"bind": "y"}]},
        notes=(Note("thin evidence", "only 1 day"),),
    )

    assert (
        render_sidecar(made, Settings())
        == """\
# Written by recommend-sidecars; the next run overwrites changes.
# To keep a host that no log shows, name it in the setting `pinned_hosts`.
#
# Scope of shop/deployment/checkout, 2 of 3 pods logged
# Evidence: 24 requests (1 error), 2026-11-17 to 2026-11-24, 8 days
# Proved: 5 ways of calling, each ends where it did
# Services in scope: 911 before, 3 after
# Note, thin evidence: only 1 day
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata:
  labels:
    app.kubernetes.io/managed-by: recommend-sidecars
  name: checkout
  namespace: shop
spec:
  workloadSelector:
    labels:
      app: "on"
      version: "1.0"
  ingress:
  - bind: "y"
  egress:
  - hosts:
    # called: 1,200 requests (1 error), 2026-11-17 to 2026-11-24, 8 days; cart.shop
    # virtual service: VirtualService shop/cart
    - shop/cart.shop.svc.cluster.local
    # pinned
    - '*/api.example'
  outboundTrafficPolicy:
    mode: ALLOW_ANY
"""
    )


@hypothesis_settings(max_examples=300)
@given(
    selector=st.dictionaries(TEXT, TEXT, min_size=1, max_size=3),
    hosts=st.lists(TEXT, min_size=1, max_size=3),
    said=st.lists(st.text() | st.sampled_from(HOSTILE), min_size=2, max_size=2),
    other=st.dictionaries(st.sampled_from(["ingress", "a", "outbound", "y"]), JSON),
)
def test_whatever_text_it_holds_a_manifest_is_read_as_what_was_meant(
    selector: dict[str, str], hosts: list[str], said: list[str], other: dict[str, object]
) -> None:
    reason, note = said
    made = recommendation(
        hosts=[host(name, HostReason("called", reason, evidence())) for name in hosts],
        selector=selector,
        notes=(Note(reason, note), Note("x", note)),
        other_spec=other,
    )
    text = render_sidecar(made, Settings())
    spec = parsed(text)["spec"]

    assert loaded(text) == meant(made)
    assert spec["workloadSelector"]["labels"] == selector
    assert spec["egress"] == [{"hosts": hosts}]
    assert text.count("\n# Note, ") == 2
    assert set(text) - {"\n"} <= {c for c in text if c.isprintable()}


@pytest.mark.parametrize("value", AMBIGUOUS)
def test_a_label_value_stays_text_to_kubernetes(value: str) -> None:
    made = recommendation(selector={"app": value}, hosts=[value])
    found = loaded(render_sidecar(made, Settings()))

    assert found.workload_selector == {"app": value}
    assert found.egress[0].hosts == (value,)


@pytest.mark.parametrize("text", HOSTILE)
def test_foreign_text_in_a_comment_stays_in_the_comment(text: str) -> None:
    reason = HostReason("called", text, evidence())
    made = recommendation(
        hosts=[host("./a.example", reason)], notes=(Note("unknown destination", text),)
    )
    plain = recommendation(
        hosts=[host("./a.example", HostReason("called", "x"))], notes=(Note("y", "z"),)
    )
    rendered = render_sidecar(made, Settings())

    assert parsed(rendered) == parsed(render_sidecar(plain, Settings()))
    assert rendered.isascii()
    assert rendered.count("\n") == render_sidecar(plain, Settings()).count("\n")


def test_strangers_cannot_swell_a_manifest_with_comments() -> None:
    notes = tuple(Note("unknown destination", f"{i}{'x' * 100_000}") for i in range(5000))
    text = render_sidecar(recommendation(notes=notes), Settings())

    assert len(text) < 20_000
    assert "\n# and 4,980 more notes\n" in text


@pytest.mark.parametrize("hosts", [[EMPTY_SCOPE], ["./*"], ["*/a.example"], ["shop/*.example"]])
def test_istiod_takes_a_manifest(hosts: list[str]) -> None:
    made = recommendation(hosts=hosts)

    assert refusals(parsed(render_sidecar(made, Settings()))) == []


@pytest.mark.parametrize(
    ("hosts", "selector"),
    [
        (["cart"], {"a": "b"}),
        (["shop/cart"], {"a": "b"}),
        (["shop/10.0.0.1"], {"a": "b"}),
        (["s.x/a.example"], {"a": "b"}),
        (["shop/*-a.example"], {"a": "b"}),
        (["./*"], {"a": "*"}),
        (["./*"], {}),
    ],
)
def test_the_rules_of_istiod_refuse_what_istiod_refuses(
    hosts: list[str], selector: dict[str, str]
) -> None:
    spec = {"workloadSelector": {"labels": selector}, "egress": [{"hosts": hosts}]}

    assert len(refusals({"spec": spec})) == 1


def test_the_api_version_is_a_setting() -> None:
    chosen = Settings(api_version="networking.istio.io/v1beta1")

    assert parsed(render_sidecar(recommendation(), chosen))["apiVersion"] == chosen.api_version


def test_the_order_in_which_mappings_were_read_does_not_matter() -> None:
    one = recommendation(selector={"a": "1", "b": "2"}, other_spec={"x": {"c": 1, "d": 2}, "y": 1})
    two = recommendation(selector={"b": "2", "a": "1"}, other_spec={"y": 1, "x": {"d": 2, "c": 1}})

    assert render_sidecar(one, Settings()) == render_sidecar(two, Settings())


def test_an_adopted_sidecar_says_so_and_that_nothing_called_is_evidence_too() -> None:
    text = render_sidecar(
        recommendation(hosts=[EMPTY_SCOPE], origin="adopted", evidence=None, calls=0), Settings()
    )

    assert "# Takes over a Sidecar made by hand" in text
    assert "# Evidence: no requests\n" in text
