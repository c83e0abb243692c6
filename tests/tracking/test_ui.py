import os
import signal
import socket
import subprocess
import sys
import time
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
def test_the_server_ends_with_us(sqlite: str, sent: signal.Signals) -> None:
    code = f"from autoft.tracking.ui import serve; serve({sqlite!r})"
    ours = subprocess.Popen(
        [sys.executable, "-u", "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert ours.stdout is not None
    assert ours.stdout.readline().startswith("Starting the MLflow UI over sqlite:///")
    said = ours.stdout.readline()
    url = said.split()[2].partition("/#/")[0]
    assert said.startswith("MLflow UI: http://127.0.0.1:")
    assert ui.answers(url)
    ours.send_signal(sent)
    assert ours.wait(30) == 0
    assert not ui.answers(url)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_server_ends_with_us_while_it_is_still_starting(sqlite: str, sent: signal.Signals) -> None:
    code = (
        "import subprocess\n"
        "from autoft.tracking import ui\n"
        "class Told(subprocess.Popen):\n"
        "    def __init__(self, *given, **named):\n"
        "        super().__init__(*given, **named)\n"
        "        print('server', self.pid)\n"
        "ui.subprocess.Popen = Told\n"
        f"ui.serve({sqlite!r})"
    )
    ours = subprocess.Popen([sys.executable, "-u", "-c", code], stdout=subprocess.PIPE, text=True)
    assert ours.stdout is not None
    assert ours.stdout.readline().startswith("Starting the MLflow UI over ")
    server = int(ours.stdout.readline().removeprefix("server "))
    time.sleep(1)
    ours.send_signal(sent)
    assert ours.wait(30) == 0
    assert "MLflow UI: " not in ours.stdout.read()
    with pytest.raises(ProcessLookupError):  # nor a worker of it: it leads a group of its own
        os.killpg(server, 0)


def test_whatever_goes_wrong_while_it_starts_ends_the_server(
    sqlite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[int] = []
    stop = ui.stop

    def note(process: "subprocess.Popen[bytes]") -> None:
        stop(process)
        stopped.append(process.returncode)

    monkeypatch.setattr(ui, "answers", lambda url: 1 / 0)
    monkeypatch.setattr(ui, "stop", note)
    with pytest.raises(ZeroDivisionError):
        ui.start(sqlite)
    assert stopped == [-signal.SIGTERM]


def test_taken_port_is_left_alone() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert ui.free_port() != taken.getsockname()[1]
