"""A Ray cluster on 127.0.0.1: nodes in processes of their own, with other host names and disks if need be."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RAY = Path(sys.executable).parent / "ray"
TIMEOUT_S = 120
LOOPBACK = "--node-ip-address=127.0.0.1"


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def head_node(port: int, cpus: int, log: Path) -> Iterator[None]:
    """The first node, which sees what this process sees, until the end of the block."""
    start = ["start", "--head", f"--port={port}", LOOPBACK, "--include-dashboard=false", f"--num-cpus={cpus}"]
    with _node([str(RAY), *start, "--block"], log):
        wait_for_nodes(f"127.0.0.1:{port}", 1)
        yield


@contextmanager
def blind_node(port: int, hidden: Path, own: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """A node of one CPU for which the folder `hidden` is empty, and the new folder `own` the temporary one.

    Its host name is that of `own`. Its process group can be killed.
    """
    own.mkdir()
    start = f"start --address=127.0.0.1:{port} {LOOPBACK} --num-cpus=1 --block"
    blind = f"mount -t tmpfs none {hidden} && hostname {own.name} && cd {own} && exec {RAY} {start}"
    unshare = ["unshare", "--mount", "--uts", "sh", "-c", blind]
    with _node(unshare, own.with_name(f"{own.name}.log"), TMPDIR=str(own)) as process:
        yield process


def can_blind() -> bool:
    """Whether this user may give a process a disk and a host name of its own."""
    return subprocess.run(["unshare", "--mount", "--uts", "true"], check=False).returncode == 0


def wait_for_nodes(address: str, count: int) -> None:
    """Until the cluster has `count` nodes, as a driver of its own sees it."""
    script = (
        "import ray, sys, time\n"
        f"ray.init(address={address!r}, log_to_driver=False, logging_level='ERROR')\n"
        f"while sum(n['Alive'] for n in ray.nodes()) < {count}: time.sleep(0.2)\n"
    )
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, timeout=TIMEOUT_S, check=False
        )
        if done.returncode == 0:
            return
        assert time.monotonic() < deadline, done.stderr.decode()


@contextmanager
def _node(command: list[str], log: Path, **environment: str) -> "Iterator[subprocess.Popen[bytes]]":
    """A Ray node that runs until the end of the block; all of its processes end with it."""
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1", "RAY_memory_monitor_refresh_ms": "0"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            env={**os.environ, **quiet, **environment},
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
