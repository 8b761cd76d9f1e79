import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.mesh import (
    Mesh,
    MeshIndex,
    ObjectMeta,
    Workload,
    WorkloadId,
    index_mesh,
    workload_of_gone_pod,
)

SAFE = "bcdfghjklmnpqrstvwxz2456789"
KINDS = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Rollout"]

hashes = st.text(SAFE, min_size=6, max_size=10)
randoms = st.text(SAFE, min_size=5, max_size=5)
minutes = st.integers(20_000_000, 40_000_000).map(str)
indexes = st.integers(0, 99_999).map(str)
# Parts that make names look like each other's pods.
parts = st.sampled_from(["web", "v2", "0", "7", "bcdfgh", "28712345", "xxxxx", "db"]) | hashes
short_names = st.lists(parts, min_size=1, max_size=4).map("-".join)
long_names = st.builds(
    lambda name, length: (name * 30)[:length].strip("-"), short_names, st.integers(40, 63)
)
names = short_names | long_names


def index_of(*workloads: tuple[str, str]) -> MeshIndex:
    """Build an index over workloads, each a kind and a name."""
    ids = sorted(WorkloadId("shop", kind, name) for kind, name in set(workloads))
    return index_mesh(
        Mesh(workloads=tuple(Workload(id_, ObjectMeta("shop", id_.name)) for id_ in ids))
    )


def found(pod: str, *workloads: tuple[str, str]) -> str | None:
    id_ = workload_of_gone_pod(index_of(*workloads), "shop", pod)
    return None if id_ is None else f"{id_.kind}/{id_.name}"


@st.composite
def made_pods(draw: st.DrawFn, kind: str, name: str) -> str:
    """Name a pod as the controllers of Kubernetes do."""
    if kind == "StatefulSet":
        return f"{name}-{draw(indexes)}"
    base = f"{name}-"
    if kind in ("Deployment", "Rollout"):
        base = f"{name}-{draw(hashes)}-"
    job = f"{name[:52]}-{draw(minutes)}" if kind == "CronJob" else name
    if kind in ("Job", "CronJob"):
        base = f"{job}-"
        if draw(st.booleans()):
            end = f"-{draw(indexes)}-"
            base = job[: 58 - len(end)] + end
    return base[:58] + draw(randoms)


def usable(kind: str, name: str) -> tuple[str, str]:
    return kind, name[:52].rstrip("-") if kind == "CronJob" else name


workloads = st.builds(usable, st.sampled_from(KINDS), names)


@given(st.data(), workloads)
def test_a_pod_of_the_only_workload_is_found(
    data: st.DataObject, workload: tuple[str, str]
) -> None:
    assert found(data.draw(made_pods(*workload)), workload) == "/".join(workload)


@given(st.data(), workloads, st.lists(workloads, max_size=6))
def test_a_pod_is_never_given_to_another_workload(
    data: st.DataObject, workload: tuple[str, str], others: list[tuple[str, str]]
) -> None:
    pod = data.draw(made_pods(*workload))

    assert found(pod, workload, *others) in (None, "/".join(workload))


@pytest.mark.parametrize(
    ("pod", "workload"),
    [
        ("web-7d9f8b6c5d-x2x4z", ("Deployment", "web")),
        ("web-7d9f8b6c5d-x2x4z", ("Rollout", "web")),
        ("db-0", ("StatefulSet", "db")),
        ("agent-x2x4z", ("DaemonSet", "agent")),
        ("import-x2x4z", ("Job", "import")),
        ("import-12-x2x4z", ("Job", "import")),
        ("nightly-28712345-x2x4z", ("CronJob", "nightly")),
        ("nightly-28712345-3-x2x4z", ("CronJob", "nightly")),
        ("old-12-x2x4z", ("DeploymentConfig", "old")),
        ("a" * 58 + "x2x4z", ("Deployment", "a" * 70)),
        ("a" * 57 + "-x2x4z", ("Deployment", "a" * 57)),
        ("a" * 50 + "-7d9f8b6x2x4z", ("Deployment", "a" * 50)),
    ],
)
def test_a_pods_name_tells_its_workload(pod: str, workload: tuple[str, str]) -> None:
    assert found(pod, workload) == "/".join(workload)


@pytest.mark.parametrize(
    ("pod", "workload"),
    [
        ("web-7d9f8b6c5d-x2x4a", ("Deployment", "web")),
        ("web-7d9f8-x2x4z", ("Deployment", "web")),
        ("web-7d9f8b6c5d7-x2x4z", ("Deployment", "web")),
        ("web-x2x4z", ("Deployment", "web")),
        ("web-api-7d9f8b6c5d-x2x4z", ("Deployment", "web")),
        ("db-00", ("StatefulSet", "db")),
        ("db-0-0", ("StatefulSet", "db")),
        ("db-", ("StatefulSet", "db")),
        ("db.-0", ("StatefulSet", "db.*")),
        ("nightly-x2x4z", ("CronJob", "nightly")),
        ("anything-0", ("StrimziPodSet", "anything")),
        ("p", ("Pod", "p")),
        ("", ("Deployment", "web")),
        ("a" * 60 + "x2x4z", ("Deployment", "a" * 70)),
    ],
)
def test_a_name_that_the_workload_cannot_have_made_is_nobodys(
    pod: str, workload: tuple[str, str]
) -> None:
    assert found(pod, workload) is None


def test_a_name_that_two_workloads_may_have_made_is_nobodys() -> None:
    twins = ("Deployment", "web"), ("DaemonSet", "web-bcdfgh")

    assert found("web-bcdfgh-xxxxx", *twins) is None
    assert found("web-bcdfghj-xxxxx", *twins) == "Deployment/web"


def test_only_workloads_of_the_pods_namespace_count() -> None:
    assert workload_of_gone_pod(index_of(("StatefulSet", "db")), "other", "db-0") is None
