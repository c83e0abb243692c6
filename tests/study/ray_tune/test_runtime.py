"""What Ray is asked for, and that nothing of it stays."""

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from autoft.errors import ResourceError
from autoft.spec.study import Resources
from autoft.study.ray_tune.runtime import NodeType, Runtime, _fit, node_types, ray_runtime, slots


@pytest.mark.parametrize(
    ("nodes", "cpus", "gpus", "expected"),
    [
        ([{"CPU": 8}], 1, 0, 8),
        ([{"CPU": 8}], 3, 0, 2),
        ([{"CPU": 4}, {"CPU": 3}], 2, 0, 3),  # a trial does not span nodes
        ([{"CPU": 16, "GPU": 2}], 1, 1, 2),
        ([{"CPU": 16, "GPU": 2}], 1, 0.5, 4),
        ([{"CPU": 16, "GPU": 2}], 1, 0.4, 4),  # a share lies on one device: two of 0.4 a device
        ([{"CPU": 16, "GPU": 1}], 1, 0.1, 10),
        ([{"CPU": 3, "GPU": 4}], 1, 1, 3),
        ([{"CPU": 8}], 1, 1, 0),
        ([{"CPU": 8}], 16, 0, 0),
    ],
)
def test_how_many_trials_fit(nodes: list[dict[str, float]], cpus: int, gpus: float, expected: int) -> None:
    assert slots(nodes, cpus, gpus) == expected


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        (
            Resources(gpus_per_trial=2),
            "gpus_per_trial: at most 1, because a trial trains in one process; got 2",
        ),
        (Resources(gpus=(0,), address="127.0.0.1:6379"), "resources.gpus picks devices of this machine"),
        (Resources(address="ray://127.0.0.1:10001"), "the Ray client protocol"),
        (
            Resources(gpus=(9999,)),
            r"resources.gpus: this machine shows \d+ GPUs, numbered from 0; got \[9999\]",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_ray_starts(
    resources: Resources, message: str, tmp_path: Path
) -> None:
    before = dict(os.environ)
    with pytest.raises(ResourceError, match=message), ray_runtime(resources, tmp_path / "ray.log"):
        pass
    assert dict(os.environ) == before


def test_a_cluster_that_does_not_answer_is_told_without_its_address(tmp_path: Path) -> None:
    resources = Resources(address="127.0.0.1:1")
    with (
        pytest.raises(ResourceError, match=r"resources.address: nothing answers there") as refused,
        ray_runtime(resources, tmp_path / "ray.log"),
    ):
        pass
    assert "127.0.0.1" not in str(refused.value)


def test_cuda_graphs_are_for_gpus() -> None:
    asked = Resources(cuda_graphs=True)
    with pytest.raises(
        ResourceError, match=r"resources.cuda_graphs: must be false where a trial gets no GPU"
    ):
        _fit(asked, [{"CPU": 2.0}], Path())
    with pytest.raises(ResourceError, match=r"resources.cuda_graphs"):
        _fit(replace(asked, gpus_per_trial=0.0), [{"CPU": 2.0, "GPU": 1.0}], Path())
    assert _fit(asked, [{"CPU": 2.0, "GPU": 1.0}], Path()).gpus_per_trial == 1


@pytest.mark.parametrize(
    ("asked", "gpus", "expected"), [(None, 0.0, 5), (None, 1.0, 0), (12, 0.0, 12), (12, 1.0, 12), (0, 0.0, 0)]
)
def test_workers_give_way_on_cpus_and_not_on_a_gpu(asked: int | None, gpus: float, expected: int) -> None:
    node = {"CPU": 2.0, "GPU": gpus}
    assert _fit(Resources(nice=asked), [node], Path()).nice == expected


def test_nodes_that_offer_the_same_are_of_one_kind() -> None:
    def node(address: str, **offers: float) -> dict[str, float]:
        return {**offers, f"node:{address}": 1.0, "memory": 1e9}

    nodes = [
        {**node("10.0.0.1", CPU=4), "node:__internal_head__": 1.0},
        {**node("10.0.0.2", CPU=8, GPU=2), "accelerator_type:H100": 1.0},
        node("10.0.0.3", CPU=1),
        {**node("10.0.0.4", CPU=8, GPU=2), "accelerator_type:H100": 1.0},
    ]
    # A trial of two CPUs does not fit on the third.
    assert node_types(nodes, 2, 0.0) == [
        NodeType("node:10.0.0.1", 4, 0, "", slots=2, nodes=1),
        NodeType("node:10.0.0.2", 8, 2, "H100", slots=4, nodes=2),
    ]
    assert node_types(nodes, 2, 0.5) == [NodeType("node:10.0.0.2", 8, 2, "H100", slots=4, nodes=2)]


def test_trials_are_pinned_to_the_node_that_stands_for_its_kind(two_workers: Runtime) -> None:
    runtime = replace(two_workers, most=1)
    (node_type,) = runtime.node_types()
    pinned = runtime.pinned_to(node_type)
    assert node_type.nodes == 1 and node_type.total == node_type.slots
    assert (pinned.max_concurrent, pinned.pin) == (1, {node_type.resource: 0.001})


def test_what_a_local_ray_starts_listens_on_this_machine_alone(two_workers: Runtime) -> None:
    listening = set()
    for process in (this := psutil.Process(), *this.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            sockets = process.net_connections("tcp")
            listening |= {each.laddr.ip for each in sockets if each.status == psutil.CONN_LISTEN}
    assert listening
    assert listening <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
