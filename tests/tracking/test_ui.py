import socket
import subprocess
import sys
from urllib.request import urlopen

import pytest

from autoft.tracking import ui


def test_server_shows_the_mlflow_page_on_this_machine_only(server: str) -> None:
    assert server.startswith("http://127.0.0.1:")
    with urlopen(server) as reply:
        assert b"MLflow" in reply.read()


def test_store_that_is_a_server_needs_no_second_one(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(ui, "start", lambda where: pytest.fail("started one"))
    ui.serve("http://me:s3cret@mlflow.internal:5000", said.append)
    assert said == [
        "The study's tracking store is a server with its own UI: http://me:***@mlflow.internal:5000"
    ]


def test_ctrl_c_ends_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    wait = process.wait
    pressed: list[int] = []

    def ctrl_c(timeout: float | None = None) -> int:
        if not pressed:
            pressed.append(1)
            raise KeyboardInterrupt
        return wait(timeout)

    monkeypatch.setattr(process, "wait", ctrl_c)
    monkeypatch.setattr(ui, "start", lambda where: (process, "http://127.0.0.1:1"))
    said: list[str] = []
    ui.serve("sqlite:///mlflow.db", said.append)
    assert (
        said[0]
        == "MLflow UI: http://127.0.0.1:1/#/experiments?workflowType=machine_learning (Ctrl-C ends it)"
    )
    assert process.poll() is not None


def test_taken_port_is_left_alone() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert ui.free_port() != taken.getsockname()[1]
