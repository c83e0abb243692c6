"""The driver's files on every node: read in place if the node sees them, else sent by Ray once per node."""

import io
import os
import secrets
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import ray
from ray.exceptions import RayError

from autoft.data.files import file_digest, hasher, locked, replacing
from autoft.data.node import localize, node_folder
from autoft.study.ray_tune.messages import Shared, SharedFile

TOKEN_FILE = ".session"
FORGET_PATIENCE_S = 20.0


def write_token(folder: Path) -> str:
    """Marks the study's folder, so that a worker can tell whether it sees the same one."""
    token = secrets.token_hex(8)
    with replacing(folder / TOKEN_FILE) as temporary:
        temporary.write_text(token)
    return token


def ship(paths: Iterable[Path]) -> dict[Path, SharedFile]:
    """Hands files and folders to Ray's object store. A folder travels as an archive of its files."""
    files = {}
    for path in paths:
        content = _archive(path) if path.is_dir() else path.read_bytes()
        digest = hasher()
        digest.update(content)
        files[path] = SharedFile(digest.hexdigest(), ray.put(content), path.is_dir())
    return files


class WorkerNode:
    """The node that this process runs on (see `study.worker_interface.Node`)."""

    def __init__(self, folder: Path, token: str, files: Mapping[Path, SharedFile]) -> None:
        self._folder, self._files = folder, files
        self.sees_driver = _read(folder / TOKEN_FILE) == token
        """Whether this process writes into the study's folder itself."""

    @classmethod
    def of(cls, shared: Shared) -> "WorkerNode":
        """The node, as this worker process finds it."""
        return cls(shared.folder, shared.token, shared.files)

    def locate(self, path: Path) -> Path:
        """Where this node finds the driver's `path`."""
        shared_file = self._files.get(path)
        if shared_file is None:
            return path
        if shared_file.folder:
            return path if _holds(path, shared_file) else _unpacked(path, shared_file)
        return localize(path, shared_file.digest, lambda: bytes(ray.get(shared_file.content)))

    def scratch(self, folder: Path) -> Path:
        """The driver's `folder`, or one of this node's own that is the same for all of its workers."""
        if self.sees_driver:
            return folder
        own = node_folder() / _own_name(folder)
        own.mkdir(mode=0o700, exist_ok=True)
        return own


def forget(folders: Iterable[Path], files: Iterable[Path], pin: Mapping[str, float]) -> None:
    """Deletes the scratch folders and copies that a node without access to the driver's disk has for these.

    If the node is gone, so are they.

    Args:
        folders: the driver's, as given to `WorkerNode.scratch`.
        files: the driver's, as given to `ship`.
        pin: the Ray resource that only this node offers, and how much of it to ask for.
    """
    task = ray.remote(_delete).options(num_cpus=0, resources=dict(pin))
    with suppress(RayError):
        ray.get(task.remote(_names(folders, files)), timeout=FORGET_PATIENCE_S)


def _names(folders: Iterable[Path], files: Iterable[Path]) -> list[str]:
    """Their names in the node's own folder."""
    return [*map(_own_name, folders), *(f"{file_digest(path)}-{path.name}" for path in files)]


def _delete(names: Sequence[str]) -> None:
    for name in names:
        path = node_folder() / name
        shutil.rmtree(path, ignore_errors=True)
        for file in (path, path.with_name(f".{name}.lock")):
            with suppress(OSError):
                file.unlink()


def _own_name(folder: Path) -> str:
    """The name of a node's own folder for the driver's `folder`."""
    name = hasher()
    name.update(str(folder).encode())
    return name.hexdigest()


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None


def _archive(folder: Path) -> bytes:
    """A tar of the folder's files; names and contents alone decide its bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
            entry.size = path.stat().st_size
            with path.open("rb") as file:
                archive.addfile(entry, file)
    return buffer.getvalue()


def _holds(path: Path, shared_file: SharedFile) -> bool:
    if not path.is_dir():
        return False
    digest = hasher()
    digest.update(_archive(path))
    return digest.hexdigest() == shared_file.digest


def _unpacked(path: Path, shared_file: SharedFile) -> Path:
    """A copy of the driver's folder on this node; whole or absent."""
    copy = node_folder() / f"{shared_file.digest}-{path.name}"
    with locked(copy):
        if not copy.is_dir():
            parts = Path(tempfile.mkdtemp(dir=copy.parent))
            with tarfile.open(fileobj=io.BytesIO(ray.get(shared_file.content))) as archive:
                # Python 3.11.2, which Debian 12 has, knows no filters.
                archive.extraction_filter = getattr(tarfile, "data_filter", None)
                archive.extractall(parts)
            os.replace(parts, copy)
    return copy
