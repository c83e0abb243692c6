"""Creates a new SQLite file of MLflow atomically.

MLflow creates its tables in dozens of steps over some seconds. A file that a stopped process left between two
of them cannot be used by any later one.
"""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow import MlflowClient

from autoft.spec.sqlite import sqlite_file


def make_whole(where: str) -> None:
    """Creates the file if the tracking URI names an SQLite file that does not exist; else does nothing.

    If two processes do so at the same time, the first one's file is kept. If the disk does not support links,
    MLflow creates the file in place. Raises what MLflow raises.
    """
    file = sqlite_file(where)
    if file is None or file.exists():
        return
    with TemporaryDirectory(prefix=f".{file.name}.", dir=file.parent, ignore_cleanup_errors=True) as folder:
        made = Path(folder) / "new.db"
        store = MlflowClient(f"sqlite:///{made}", registry_uri=f"sqlite:///{made}")._tracking_client.store
        store._dispose_engine()  # closes the file
        with suppress(OSError):
            os.link(made, file)
