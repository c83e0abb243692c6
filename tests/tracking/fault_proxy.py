"""A small HTTP proxy before a real MLflow server that makes trouble on demand."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError
from urllib.request import Request, urlopen

DROPPED = ("host", "connection", "transfer-encoding", "content-length")


class FaultProxy(ThreadingHTTPServer):
    """Passes requests on to `upstream`; `mode` is how.

    `ok`; `gone` closes connections; `slow` waits 2 s; `500 before` answers 500 instead of passing on;
    `500 after` passes on, and answers 500 where the request changed something.
    """

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream, self.mode, self.requests = upstream, "ok", 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultProxy

    def _pass_on(self) -> None:
        self.server.requests += 1
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        mode = self.server.mode
        if mode == "gone":
            self.close_connection = True
            self.connection.close()
            return
        if mode == "slow":
            time.sleep(2)
        if mode == "500 before":
            self._answer(500, b"{}")
            return
        headers = {name: value for name, value in self.headers.items() if name.lower() not in DROPPED}
        request = Request(self.server.upstream + self.path, body or None, headers, method=self.command)
        try:
            with urlopen(request) as response:
                status, content = response.status, response.read()
        except HTTPError as error:
            status, content = error.code, error.read()
        changes = self.command != "GET" and "search" not in self.path
        self._answer(500 if mode == "500 after" and changes else status, content)

    def _answer(self, status: int, content: bytes) -> None:
        with suppress(OSError):  # the client has given up
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on  # noqa: N815 - the names that http.server calls

    def log_message(self, *_: object) -> None:
        """Nothing on the screen."""


@contextmanager
def fault_proxy(upstream: str) -> Iterator[FaultProxy]:
    """A proxy on a free port of 127.0.0.1 for the duration of the block."""
    with FaultProxy(upstream) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
