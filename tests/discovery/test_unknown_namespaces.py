"""Labels that are there choose only where every namespace in use is in the dump."""

from __future__ import annotations

import pytest

from tests.discovery.helpers import CALL, WEB, decide, namespace
from tests.mesh.helpers import Object
from tests.recommendation.helpers import (
    Flow,
    fqdn,
    http_call,
    mesh_config,
    route_to,
    service,
    sidecar,
    virtual_service,
)


@pytest.mark.parametrize(
    ("objects", "call"),
    [
        ([], http_call("pay/nobody-knows", "cart.shop", fqdn("cart.shop"))),
        ([], http_call(WEB, "bank", fqdn("bank.pay"), address="192.0.2.9")),
        ([sidecar("s", hosts=["./*", "pay/*"])], CALL),
        ([service("bank", "pay", ip="10.96.9.9")], CALL),
    ],
)
@pytest.mark.parametrize("labels", [{"attic": {"team": "gone"}}, {"shop": {"mesh": "on"}}])
def test_labels_tell_nothing_where_a_namespace_in_use_is_not_in_the_dump(
    objects: list[Object], call: Flow, labels: dict[str, dict[str, str]]
) -> None:
    used = labels.get("shop", {})
    house = [namespace(name, **used) for name in ("istio-system", "kube-system", "default")]
    named = [namespace("shop", **used), namespace("attic", **labels.get("attic", {})), *house]

    assert decide(*named, flows=[CALL]).selectors.by == "existing labels"
    assert decide(*named, *objects, flows=[CALL, call]).selectors.by == "labels to add"


HOUSE = ("istio-system", "default", "kube-node-lease", "kube-public", "kube-system")


@pytest.mark.parametrize(
    ("stale", "flows"),
    [
        (virtual_service("v", hosts=["x"], http=[route_to(fqdn("bank.pay"))]), [CALL]),
        (sidecar("s", hosts=["./*", "pay/*"]), [CALL]),
        (mesh_config("{}"), [CALL, http_call(WEB, "bank", fqdn("bank.pay"), address="192.0.2.9")]),
    ],
)
def test_a_name_that_no_namespace_has_costs_the_existing_label_only_where_calls_have_it(
    stale: Object, flows: list[Flow]
) -> None:
    named = [namespace("shop"), namespace("attic", team="gone"), *map(namespace, HOUSE)]
    selectors = decide(*named, stale, flows=flows).selectors

    if flows == [CALL]:
        assert (selectors.by, selectors.seen_by_name) == ("existing labels", ("pay",))
    else:
        assert (selectors.by, selectors.unknown) == ("labels to add", ("pay",))
