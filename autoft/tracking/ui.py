"""The MLflow UI on this machine, over the store that a study is published to."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from urllib.error import URLError
from urllib.request import urlopen

from autoft.errors import TrackingError
from autoft.spec.sqlite import sqlite_file
from autoft.tracking import store, study_view

HOST = "127.0.0.1"
_USUAL_PORT = 5000
_START_S = 60.0
_TRAINING_VIEW = "/#/experiments?workflowType=machine_learning"
"""Runs and models first; by itself the UI opens on traces and prompts."""


def serve(uri: str | None = None, say: Callable[[str], None] = print, study: str | None = None) -> None:
    """Serves the MLflow UI on 127.0.0.1 until Ctrl-C or SIGTERM. A store that is a server has its own.

    The address is that of the `study`'s own runs, if one is named and there.

    Raises:
        TrackingError: there is no store yet, it cannot be opened, or the UI does not start.
    """
    where = store.resolve(uri)
    if where.startswith(("http://", "https://")):
        own = f"{store.redact(where)}{_view(where, study)}" if study else store.redact(where)
        say(f"The study's tracking store is a server with its own UI: {own}")
        return
    file = sqlite_file(where)
    if file is not None and not file.exists():  # MLflow would make an empty one
        raise TrackingError(
            f"there is nothing to show yet: no MLflow store at {store.redact(where)}. A search makes it; "
            "else go to the folder of the search, name the study's space.yaml, or set MLFLOW_TRACKING_URI"
        )
    _end_by_interrupt()
    say(f"Starting the MLflow UI over {store.redact(where)} ...")
    try:
        process, url = start(where)
        try:
            say(f"MLflow UI: {url}{_view(where, study)} (Ctrl-C ends it)")
            process.wait()
        finally:
            stop(process)
    except KeyboardInterrupt:
        say("")
        return
    if process.returncode not in (0, None) and process.returncode > 0:
        raise TrackingError(f"the MLflow UI ended by itself with exit code {process.returncode}")


def _view(where: str, study: str | None) -> str:
    own = study_view.path(store.connect(where), study) if study else None
    return own or _TRAINING_VIEW


def _end_by_interrupt() -> None:
    """Makes SIGTERM and a closed terminal act like Ctrl-C: the server must not outlive this process."""
    for sent in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(sent) is not signal.SIG_IGN:  # as under nohup
            signal.signal(sent, signal.default_int_handler)


def start(where: str) -> "tuple[subprocess.Popen[bytes], str]":
    """Starts the UI server over the database at `where` and waits until it answers; process and address."""
    store.connect(where)  # says in clear words what is wrong with the store, and makes its tables once
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"],
        # The store is passed in the environment: it may hold a password, and every user can see arguments.
        env={
            **os.environ,
            "MLFLOW_BACKEND_STORE_URI": where,
            "MLFLOW_TRACKING_URI": where,
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "PYTHONSAFEPATH": "1",  # no module of the working directory hides one of the server's
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C comes to us, and we end it
    )
    url = f"http://{HOST}:{port}"
    until = time.monotonic() + _START_S
    try:
        while time.monotonic() < until and process.poll() is None:
            if answers(url):
                return process, url
            time.sleep(0.2)
    except BaseException:  # above all an interrupt, because nothing else would stop the server
        stop(process)
        raise
    stop(process)
    raise TrackingError(
        f"the MLflow UI over {store.redact(where)} does not start; "
        f"see why with: mlflow ui --backend-store-uri {store.redact(where)}"
    )


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Ends the server and its workers."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        os.killpg(process.pid, sent)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            continue


def answers(url: str) -> bool:
    """Whether an MLflow server answers at `url`."""
    try:
        with urlopen(f"{url}/health", timeout=2) as reply:
            return bool(reply.status == 200)
    except (URLError, OSError):
        return False


def free_port() -> int:
    """MLflow's usual port, else any free one on 127.0.0.1."""
    for port in (_USUAL_PORT, 0):
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((HOST, port))
            except OSError:
                continue
            return int(listener.getsockname()[1])
    raise TrackingError(f"no port is free on {HOST}")
