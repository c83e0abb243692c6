"""Changes how this process behaves while Ray runs in it, and restores it afterwards."""

import logging
import os
import secrets
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import ray
from ray._private import ray_constants
from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]  # compiled code

from autoft.study.layout import temporary_folder

SWITCHES = {
    "RAY_AIR_NEW_OUTPUT": "0",  # with verbose=0, nothing on the screen
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # workers run in this interpreter, however it was started
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray's default of 15 leaves a worker a thirtieth of a core that another process wants; see `give_way`.
    "RAY_worker_niceness": "0",
    # Ray's monitor kills a worker in a way that ends the whole run of Tune ("Caught unexpected exception");
    # the kernel's own killer ends that worker alone.
    "RAY_memory_monitor_refresh_ms": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # an interrupt is a KeyboardInterrupt here, as everywhere
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "inf",  # Ray's state is disposable
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_RESULT_BUFFER_LENGTH": "1",  # each measurement is decided on before the next begins
}
"""How Ray behaves in this process while it runs for us."""

ENDS_AT_ONCE = {"RAY_DISABLE_FAILURE_SIGNAL_HANDLER": True, "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": 0.0}
"""Ray's constants while it starts, so that SIGTERM prints no stack trace and nothing is waited for."""
ON_LOOPBACK = {"ENABLE_RAY_CLUSTER": False}
"""More constants for a local Ray, which must listen on 127.0.0.1 only. If asked for that address, Ray takes
this machine's other one, except on systems where it starts no clusters; this pretends to be one of them."""


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder that only this user can read, deleted at the end of the block."""
    folder = Path(tempfile.mkdtemp(prefix="autoft-", dir=temporary_folder()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def environment(changes: Mapping[str, str | None]) -> Iterator[None]:
    """Sets environment variables, or unsets those with None, for the duration of the block."""
    before = {name: os.environ.get(name) for name in changes}
    _set_environment(changes)
    try:
        yield
    finally:
        _set_environment(before)


def _set_environment(changes: Mapping[str, str | None]) -> None:
    for name, value in changes.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def give_way(nice: int) -> None:
    """Raises the niceness of this process, and of the threads that it starts from now on, to at least `nice`.

    Ray's own threads, which exist already, keep theirs. Only root may lower it again.
    """
    os.nice(max(0, nice - os.nice(0)))


def own_authentication(scratch: Path) -> dict[str, str | None]:
    """Environment for a local Ray that only this user's processes can use; its token is deleted with it.

    Without this, Ray writes a permanent token into the home folder.
    """
    path = scratch / "token"
    path.touch(mode=0o600)
    path.write_text(secrets.token_hex(32))
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": None, "RAY_AUTH_TOKEN_PATH": str(path)}


def forget_authentication() -> None:
    """Makes Ray read mode and token again; it keeps those that the process had when it first read them.

    The order matters: a thread that still runs in token mode would miss the token and abort the process.
    """
    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()


@contextmanager
def signal_handlers_kept() -> Iterator[None]:
    """Removes, at the end of the block, the signal handlers that Ray and Tune install."""
    if threading.current_thread() is not threading.main_thread():  # Python sets none there
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ray_constants_set(**changes: object) -> Iterator[None]:
    """Sets Ray's constants for the block. Ray reads them from the environment only when it is imported."""
    before = {name: getattr(ray_constants, name) for name in changes}
    try:
        for name, value in changes.items():
            setattr(ray_constants, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(ray_constants, name, value)


@contextmanager
def without_ray_sigterm() -> Iterator[None]:
    """Keeps Ray from taking SIGTERM in `ray.init`: its handler exits at once, with status 15."""
    before = ray._private.utils.set_sigterm_handler
    ray._private.utils.set_sigterm_handler = lambda handler: None
    try:
        yield
    finally:
        ray._private.utils.set_sigterm_handler = before


@contextmanager
def ray_log(log: Path) -> Iterator[None]:
    """Sends what Ray logs on the driver to a file instead of the screen.

    The switch has no public name; it silences what `log_to_driver` leaves: the raylet's report of a worker
    that died, which the study stores as the trial's reason.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    logger, handler = logging.getLogger("ray"), logging.FileHandler(log, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    before, propagated = list(logger.handlers), logger.propagate
    logger.handlers, logger.propagate = [handler], False
    ray._private.worker._worker_logs_enabled = False
    try:
        yield
    finally:
        logger.handlers, logger.propagate = before, propagated
        ray._private.worker._worker_logs_enabled = True
        handler.close()
