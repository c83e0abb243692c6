"""Files for a worker that may not see the driver's disk: the file itself, or this node's own copy."""

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from autoft.data.files import file_digest, hasher, locked, replacing
from autoft.errors import DataError


def localize(path: Path, digest: str, fetch: Callable[[], bytes]) -> Path:
    """`path` where this node sees a file with that digest (`files.file_digest`), else a copy on this node.

    The copy is made once a node from `fetch()`, whose bytes come from the driver.
    Raises DataError where these do not have the digest.
    """
    if _is(path, digest):
        return path
    copy = node_folder() / f"{digest}-{path.name}"
    if _is(copy, digest):
        return copy
    with locked(copy):
        if not _is(copy, digest):
            content = fetch()
            fetched = hasher()
            fetched.update(content)
            if fetched.hexdigest() != digest:
                raise DataError(
                    f"{path}: the driver's file has changed since the study began; start it again"
                )
            with replacing(copy) as temporary:
                temporary.write_bytes(content)
    return copy


def node_folder() -> Path:
    """A folder of this user alone under the node's temporary folder; made if need be.

    Raises DataError where somebody else has put something in its place.
    """
    user = os.getuid()
    folder = Path(tempfile.gettempdir()) / f"autoft-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != user:
        raise DataError(f"{folder}: belongs to somebody else; set TMPDIR to a folder of your own")
    folder.chmod(0o700)
    return folder


def _is(path: Path, digest: str) -> bool:
    try:
        return file_digest(path) == digest
    except OSError:
        return False
