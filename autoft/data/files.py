"""Files that are whole or absent: digests, atomic replacement, locks, Arrow tables."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from filelock import FileLock

from autoft.errors import DataError


def hasher() -> "hashlib.blake2b":
    """The hash behind every digest of the data: BLAKE2b (RFC 7693), 16 bytes, 32 hex digits."""
    return hashlib.blake2b(digest_size=16)


def file_digest(path: Path) -> str:
    """32 hex digits of the file's bytes. Raises OSError where it cannot be read."""
    digest = hasher()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place at the end of the block, or vanishes on an error.

    Who has the old file open or mapped keeps the old file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())  # a power cut must not leave the new name on an empty file
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process of this node at a time, by a lock file beside `path`; freed when its holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        yield


def write_table(table: pa.Table, path: Path) -> None:
    """Writes an Arrow IPC file atomically, one record batch where the table has one chunk."""
    with replacing(path) as temporary, pa.ipc.new_file(str(temporary), table.schema) as writer:
        writer.write_table(table.combine_chunks(), max_chunksize=max(1, len(table)))


def read_table(path: Path) -> pa.Table:
    """Maps an Arrow IPC file into memory. Raises DataError where it is missing or damaged."""
    try:
        return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except pa.ArrowInvalid as error:
        raise DataError(f"{path}: the file is damaged ({error}); delete it and run again") from None
