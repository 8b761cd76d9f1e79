import yaml

from recommender.recommendation.model import LeftOut, Recommendations
from recommender.settings import Settings
from recommender.sidecars import render_sidecar, without_refused
from recommender.sidecars.manifest import sidecar_manifest
from tests.sidecars.helpers import recommendation


def test_a_workload_whose_sidecar_istiod_would_refuse_is_left_out_with_the_reason() -> None:
    ingress = {"ingress": [{"port": {"number": 0}}]}
    good = recommendation(other_spec={"outboundTrafficPolicy": {"mode": "ALLOW_ANY"}})
    bad = recommendation("shop/Pod/x", other_spec=ingress)
    short = recommendation("shop/Pod/y", hosts=("shop/cart",))
    dry = recommendation("shop/Pod/a", annotations={"istio.io/dry-run": "true"})
    before = LeftOut(recommendation("shop/Pod/z").workload, "no evidence")
    found = without_refused(Recommendations((good, bad, short, dry), (before,)), Settings())

    assert found.recommended == (good,)
    assert [(entry.workload.name, entry.reason, entry.detail) for entry in found.left_out] == [
        ("a", "refused by istiod", "the annotation istio.io/dry-run is not allowed"),
        ("x", "refused by istiod", "ingress[0]: the port 0 is not from 1 to 65535"),
        ("y", "refused by istiod", "egress[0]: hosts: cart is a short name"),
        ("z", "no evidence", ""),
    ]


def test_what_is_checked_is_what_is_written() -> None:
    made = recommendation(
        hosts=("shop/cart.shop.svc.cluster.local", "~/*"),
        other_spec={"ingress": [{"port": {"number": 80}}], "inboundConnectionPool": {"tcp": {}}},
        labels={"team": "red"},
        annotations={"owner": "on"},
    )
    assert yaml.safe_load(render_sidecar(made, Settings())) == sidecar_manifest(made, Settings())
