import signal
import socket
import subprocess
import sys
from pathlib import Path
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


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_the_server_ends_with_us(tmp_path: Path, sent: signal.Signals) -> None:
    code = f"from autoft.tracking.ui import serve; serve('sqlite:///{tmp_path}/mlflow.db')"
    ours = subprocess.Popen(
        [sys.executable, "-u", "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert ours.stdout is not None
    said = ours.stdout.readline()
    url = said.split()[2].partition("/#/")[0]
    assert said.startswith("MLflow UI: http://127.0.0.1:")
    assert ui.answers(url)
    ours.send_signal(sent)
    assert ours.wait(30) == 0
    assert not ui.answers(url)


def test_taken_port_is_left_alone() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert ui.free_port() != taken.getsockname()[1]
