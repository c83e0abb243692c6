"""A real PostgreSQL server of the test's own, which can be killed and started again."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pgserver
from pgserver._commands import POSTGRES_BIN_PATH

TIMEOUT_S = 60


class Postgres:
    """Listens on a socket in its folder only, on no port."""

    def __init__(self, folder: Path) -> None:
        made = pgserver.get_server(folder, cleanup_mode=None)  # with its user, where this is root
        pgserver.pg_ctl(["-w", "-m", "fast", "stop"], pgdata=folder, user=made.system_user)
        self.folder, self._user = folder, made.system_user
        self.url = f"postgresql+psycopg://postgres@/postgres?host={folder}"
        self.start()

    def start(self) -> None:
        """Until it answers; what a killed one has left may take a moment to go."""
        until = time.monotonic() + TIMEOUT_S
        while True:
            command = [POSTGRES_BIN_PATH / "postgres", "-D", self.folder, "-k", self.folder, "-h", ""]
            self.process = subprocess.Popen(
                command, user=self._user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            while self.process.poll() is None:
                ready = [POSTGRES_BIN_PATH / "pg_isready", "-h", self.folder, "-U", "postgres", "-q"]
                if subprocess.run(ready, check=False).returncode == 0:
                    return
                time.sleep(0.1)
            assert time.monotonic() < until
            time.sleep(0.5)

    def kill(self) -> None:
        """SIGKILL: nothing is written, nobody is told."""
        self.process.kill()
        self.process.wait()


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A server for the duration of the block; in a short folder, for its socket's sake."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    server = Postgres(folder)
    try:
        yield server
    finally:
        server.kill()  # to end it gently would wait for every client
        shutil.rmtree(folder, ignore_errors=True)
