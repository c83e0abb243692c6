"""A new SQLite file of MLflow's appears whole.

MLflow makes its tables in dozens of steps over some seconds. A file that was left between two of them, by a
process that was stopped meanwhile, is taken by no later one.
"""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow import MlflowClient

from autoft.spec.sqlite import sqlite_file


def make_whole(where: str) -> None:
    """Makes the file of a tracking URI that names an SQLite file which is not there; else does nothing.

    Of two processes that do so at the same time one comes first, and its file stands. Where the disk knows no
    links, MLflow makes it where it belongs. Raises what MLflow raises.
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
