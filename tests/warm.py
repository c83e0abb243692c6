"""The command line in a process of its own, forked from one that has imported what it needs.

To import torch, transformers, MLflow and Ray takes most of a short command's time. The server here imports
them once; each command then is a real process with its own folder, environment, files and exit code.
"""

import atexit
import gc
import json
import os
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

IMPORTED = (
    "autoft.cli",
    "autoft.report.check",
    "autoft.report.show",
    "autoft.session",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.transformers",
    "transformers.models.bert.modeling_bert",
)


class Command:
    """`autoft` with `arguments` in `folder`, as it runs; what it prints comes into `out` and `err`."""

    def __init__(self, arguments: list[str], folder: Path, out: Path, err: Path) -> None:
        request = {"arguments": arguments, "folder": str(folder), "out": str(out), "err": str(err)}
        self.pid: int = _ask({**request, "environment": dict(os.environ)})
        self._code: int | None = None

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        if self._code is None:
            self._code = _ask({"poll": self.pid})
        return self._code

    def wait(self, timeout_s: float) -> int:
        """The exit code. What runs for longer is killed, and fails the test."""
        until = time.monotonic() + timeout_s
        while (code := self.poll()) is None:
            if time.monotonic() > until:
                os.kill(self.pid, signal.SIGKILL)
                raise AssertionError(f"autoft, process {self.pid}, runs for more than {timeout_s:g} s")
            time.sleep(0.02)
        return code


def _ask(request: dict[str, Any]) -> Any:
    server = _server()
    assert server.stdin is not None and server.stdout is not None
    server.stdin.write(json.dumps(request).encode() + b"\n")
    return json.loads(server.stdout.readline())


@cache
def _server() -> "subprocess.Popen[bytes]":
    """Ends when this process does: its requests end then."""
    return subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )


def _next(switches: dict[str, str]) -> list[str]:
    """Returns in a forked process, as which it is the command: with its arguments."""
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        if "poll" in request:
            ended, status = os.waitpid(request["poll"], os.WNOHANG)
            print(json.dumps(os.waitstatus_to_exitcode(status) if ended else None), flush=True)
            continue
        child = os.fork()
        if child == 0:
            _become({**request, "environment": {**switches, **request["environment"]}})
            return list(request["arguments"])
        print(child, flush=True)
    sys.exit()


def _become(request: dict[str, Any]) -> None:
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    for number, path, mode in ((0, os.devnull, "rb"), (1, request["out"], "wb"), (2, request["err"], "wb")):
        with open(path, mode) as file:
            os.dup2(file.fileno(), number)


if __name__ == "__main__":
    import importlib

    del sys.path[0]  # this folder; the command's own is not searched for modules either
    given = set(os.environ)
    for name in IMPORTED:
        importlib.import_module(name)
    switches = {name: os.environ[name] for name in os.environ.keys() - given}  # autoft sets them once
    gc.freeze()  # else a collection in each child would copy what it shares with this process
    sys.argv = ["autoft", *_next(switches)]
    try:
        importlib.import_module("autoft.cli").main()
    except SystemExit as ended:
        code = 0 if ended.code is None else ended.code
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # to take down what was imported would cost more than most commands
