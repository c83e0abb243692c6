"""Ray for one session: a local one that is started for it, or a cluster that is joined; nothing stays."""

import logging
import math
import os
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import ray
from ray.exceptions import AuthenticationError
from ray.job_config import JobConfig

from autoft.errors import ResourceError
from autoft.search_path import python_path
from autoft.signals import handle_signals_again, on_leaving
from autoft.spec.study import Resources
from autoft.study.ray_tune.detached import detached, leave, shut_down
from autoft.study.ray_tune.process import (
    ENDS_AT_ONCE,
    ON_LOOPBACK,
    SWITCHES,
    environment,
    forget_authentication,
    own_authentication,
    ray_constants_set,
    ray_log,
    scratch_folder,
    signal_handlers_kept,
    without_ray_sigterm,
)

LOCAL_OBJECT_STORE_BYTES = 200 * 2**20
"""Nothing large goes through the store of a local Ray: workers read the driver's disk."""
CONNECT_TIMEOUT_S = 5.0


NICE = 5
"""Niceness of workers on CPUs: a user at the machine and the search itself come first, but beside another
job that computes they get a quarter of a core (the kernel's weights are 335 and 1024). With a GPU it is 0,
because the GPU would wait."""
PINNED = 0.001
"""How much to ask of the resource that Ray gives each node under its address: too little to use it up."""


@dataclass(frozen=True)
class NodeType:
    """Nodes that offer the same resources, represented by one of them."""

    resource: str
    """The resource that only the representing node offers: `node:` and its address."""
    cpus: float
    gpus: float
    accelerator: str
    """Ray's name for its GPUs, such as `H100`; empty if there is none."""
    slots: int
    """Trials at the same time on one of them."""
    nodes: int
    """How many there are."""

    @property
    def total(self) -> int:
        """Trials at the same time on all of them."""
        return self.slots * self.nodes


@dataclass(frozen=True)
class Runtime:
    """A running Ray and what a trial gets from it."""

    cpus_per_trial: int
    gpus_per_trial: float
    max_concurrent: int
    """Trials at the same time when the session began: what fits, or what the user allows if that is less."""
    local: bool
    """Whether it was started for this session; False if a cluster was joined."""
    scratch: Path
    """A folder on the driver for what Ray must write; deleted at the end."""
    most: int | None = None
    """Trials at the same time that the user allows; None is as many as fit."""
    nice: int = 0
    """Niceness of the workers; see `Resources.nice`."""
    pin: Mapping[str, float] = field(default_factory=dict)
    """Further Ray resources that a trial asks for, to keep all trials on one node."""

    def node_types(self) -> list[NodeType]:
        """The types of nodes that a trial fits on now."""
        return node_types(_alive(), self.cpus_per_trial, self.gpus_per_trial)

    def pinned_to(self, node_type: NodeType) -> "Runtime":
        """A runtime that places all trials on the node that represents `node_type`."""
        most = min(node_type.slots, self.most or node_type.slots)
        return replace(self, max_concurrent=most, most=most, pin={node_type.resource: PINNED})

    def pins(self) -> list[Mapping[str, float]]:
        """For each node, the resources to ask for so that a task runs there."""
        return [{address: PINNED} for node in _alive() if (address := _address(node))]

    def slots(self) -> int:
        """Trials at the same time now; nodes of a cluster may have joined or left."""
        if self.local:
            return self.max_concurrent
        fitting = slots(_alive(), self.cpus_per_trial, self.gpus_per_trial)
        return min(fitting, self.most or fitting)

    def precision(self, asked: Literal["auto", "fp32", "bf16"]) -> Literal["fp32", "bf16"]:
        """`auto` is bf16 on a GPU, else fp32."""
        if asked != "auto":
            return asked
        return "bf16" if self.gpus_per_trial > 0 else "fp32"


@contextmanager
def ray_runtime(resources: Resources, log: Path) -> Iterator[Runtime]:
    """Starts a local Ray, or joins the cluster at `resources.address`, for the duration of the block.

    A local Ray belongs to this block alone, whatever else runs on the machine: `RAY_ADDRESS` is ignored. At
    the end it is stopped, its folder is deleted, and environment and signal handlers are restored. Its
    processes do not get the signals that ask this process to stop (`signals`), however they are sent.

    Args:
        resources: what a trial gets and where it runs.
        log: the file that Ray's driver-side messages go to.

    Raises:
        ResourceError: no node has room for a trial, or no cluster answers.
    """
    _check(resources)
    with ExitStack() as stack:
        scratch = stack.enter_context(scratch_folder())
        stack.callback(forget_authentication)
        stack.enter_context(environment(_environment_of(resources, scratch)))
        forget_authentication()
        stack.enter_context(ray_log(log))
        stack.enter_context(signal_handlers_kept())
        stack.enter_context(on_leaving(lambda: leave(scratch)))
        stack.callback(shut_down, scratch)
        _start(resources, scratch)
        handle_signals_again()
        yield _fit(resources, _alive(), scratch)


def _alive() -> list[Mapping[str, float]]:
    """What each node of the cluster offers."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]  # Ray's


def slots(nodes: Sequence[Mapping[str, float]], cpus: int, gpus: float) -> int:
    """How many trials of `cpus` and `gpus` (a share of one GPU) fit on `nodes` at the same time."""
    fitting = 0
    for node in nodes:
        of_node = math.floor(node.get("CPU", 0) / cpus)
        if gpus > 0:
            of_node = min(of_node, math.floor(node.get("GPU", 0)) * math.floor(1 / gpus + 1e-9))
        fitting += of_node
    return fitting


def node_types(nodes: Sequence[Mapping[str, float]], cpus: int, gpus: float) -> list[NodeType]:
    """The distinct types of `nodes` on which a trial of `cpus` and `gpus` fits, in the order of the nodes."""
    found: dict[tuple[float, float, str], NodeType] = {}
    for node in nodes:
        fitting = slots([node], cpus, gpus)
        address = _address(node)
        if fitting == 0 or address is None:
            continue
        names = (name.partition(":")[2] for name in node if name.startswith("accelerator_type:"))
        key = node.get("CPU", 0), node.get("GPU", 0), next(names, "")
        known = found.get(key)
        found[key] = replace(known, nodes=known.nodes + 1) if known else NodeType(address, *key, fitting, 1)
    return list(found.values())


def _address(node: Mapping[str, float]) -> str | None:
    """The resource that only this node offers."""
    return next((name for name in node if name.startswith("node:") and "__" not in name), None)


def _check(resources: Resources) -> None:
    gpus = resources.gpus_per_trial
    if gpus is not None and gpus > 1:
        raise ResourceError(
            f"resources.gpus_per_trial: at most 1, because a trial trains in one process; got {gpus:g}. "
            "Several GPUs run several trials at the same time: leave it at auto"
        )
    if resources.gpus is not None and resources.address is not None:
        raise ResourceError(
            "resources.gpus picks devices of this machine, but resources.address joins a cluster, whose "
            "nodes say what they offer: remove one of the two"
        )
    if resources.address is not None and resources.address.startswith("ray://"):
        raise ResourceError(
            "resources.address: the Ray client protocol (ray://) is not supported; run autoft on a node of "
            "the cluster and give HOST:PORT or auto"
        )
    _visible_gpus(resources)
    if resources.address is not None:
        _check_reachable(resources.address)
    if ray.is_initialized():
        raise ResourceError(
            "this process is connected to Ray already, and a search uses a Ray of its own: call "
            "ray.shutdown() first; to search on that cluster, give resources.address"
        )


def _fit(resources: Resources, nodes: Sequence[Mapping[str, float]], scratch: Path) -> Runtime:
    has_gpu = any(node.get("GPU", 0) >= 1 for node in nodes)
    gpus = resources.gpus_per_trial if resources.gpus_per_trial is not None else float(has_gpu)
    fitting = slots(nodes, resources.cpus_per_trial, gpus)
    if fitting == 0:
        offered = "; ".join(f"{node.get('CPU', 0):g} CPUs and {node.get('GPU', 0):g} GPUs" for node in nodes)
        raise ResourceError(
            f"resources: a trial asks for {resources.cpus_per_trial} CPUs and {gpus:g} GPUs on one node, but "
            f"the nodes offer {offered}: lower cpus_per_trial or gpus_per_trial"
        )
    if resources.cuda_graphs and gpus == 0:
        raise ResourceError(
            "resources.cuda_graphs: must be false where a trial gets no GPU, got true; remove it, or give a "
            "trial one (gpus_per_trial)"
        )
    return Runtime(
        cpus_per_trial=resources.cpus_per_trial,
        gpus_per_trial=gpus,
        max_concurrent=min(fitting, resources.max_concurrent or fitting),
        most=resources.max_concurrent,
        local=resources.address is None,
        scratch=scratch,
        nice=resources.nice if resources.nice is not None else (0 if gpus > 0 else NICE),
    )


class _NoFolders(list[str]):
    """A list that stays empty when Ray extends it by the driver's working directory.

    Workers would look for modules there first, and a file there may have the name of a library. Ray offers no
    other way to leave it out.
    """

    def extend(self, folders: Iterable[str]) -> None:
        """Stays empty."""


def _job_config() -> JobConfig:
    config = JobConfig()
    config._py_driver_sys_path = _NoFolders()
    return config


def _start(resources: Resources, scratch: Path) -> None:
    settings: dict[str, Any] = {
        "log_to_driver": False,
        "logging_level": logging.ERROR,
        "job_config": _job_config(),
    }
    of_workers = {
        "OMP_NUM_THREADS": str(resources.cpus_per_trial),
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a trial without a GPU sees none
    }
    try:
        with ray_constants_set(**ENDS_AT_ONCE), without_ray_sigterm():
            if resources.address is None:
                # Inherited: workers that Ray starts in advance serve only tasks without an environment.
                inherited = environment({**of_workers, **python_path()})
                with detached(), ray_constants_set(**ON_LOOPBACK), inherited:
                    ray.init(
                        address="local",
                        include_dashboard=False,
                        object_store_memory=LOCAL_OBJECT_STORE_BYTES,
                        _temp_dir=str(scratch / "ray"),
                        **settings,
                    )
            else:
                # Not the place for a secret: Ray writes a runtime environment into its logs.
                ray.init(address=resources.address, runtime_env={"env_vars": of_workers}, **settings)
    except (ConnectionError, RuntimeError, ValueError, AuthenticationError) as error:
        raise _refused(resources, error) from None


def _refused(resources: Resources, error: Exception) -> ResourceError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    if resources.address is None:
        return ResourceError(f"a local Ray cannot be started: {reason}")
    if "InvalidAuthToken" in f"{error} {error.__cause__}" or isinstance(error, AuthenticationError):
        return ResourceError(
            "resources.address: the cluster wants a token: set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH "
            "to the file that holds it"
        )
    # The address may be a secret: `resources.address` takes environment variables.
    return ResourceError(
        f"resources.address: the cluster cannot be joined: {reason.replace(resources.address, 'it')}. The "
        "driver must run on a node of the cluster, with the same versions of Python and Ray"
    )


def _check_reachable(address: str) -> None:
    """Raises ResourceError if nothing answers there; Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        return  # `auto`: Ray finds it
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_TIMEOUT_S).close()
    except OSError as error:
        raise ResourceError(
            f"resources.address: nothing answers there ({error.strerror or type(error).__name__}); start the "
            "cluster first"
        ) from None


def _environment_of(resources: Resources, scratch: Path) -> dict[str, str | None]:
    """Environment variables for Ray. For a cluster its own rules of authentication hold, and are restored."""
    cluster = {"RAY_AUTH_MODE": os.environ.get("RAY_AUTH_MODE")}
    authentication = own_authentication(scratch) if resources.address is None else cluster
    return {**SWITCHES, **_visible_gpus(resources), **authentication}


def _visible_gpus(resources: Resources) -> dict[str, str | None]:
    """CUDA_VISIBLE_DEVICES for `gpus`, which counts the devices that this process sees.

    Raises ResourceError if one is missing.
    """
    if resources.gpus is None:
        return {}
    from torch.cuda import device_count  # asks the driver, without taking a device

    count = device_count()
    if missing := [index for index in resources.gpus if not 0 <= index < count]:
        raise ResourceError(
            f"resources.gpus: this machine shows {count} GPUs, numbered from 0; got {missing}"
        )
    seen = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    chosen = [seen[index] if seen != [""] else str(index) for index in resources.gpus]
    return {"CUDA_VISIBLE_DEVICES": ",".join(chosen)}
