"""One process searches a study: two of them would hand out the same trials.

There are two locks, because one is not enough. A file lock in the study's folder, which the operating system
releases when its holder dies, keeps processes of this folder apart. And if the study is in a database that
several folders can reach, there is a lease in the study: its holder renews it, and a lease that is no longer
renewed is taken over.
"""

import json
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import optuna
from filelock import FileLock, Timeout

from autoft.data.files import replacing
from autoft.errors import StudyError
from autoft.study.layout import LOCK, OWNER

LEASE_ATTR = "lease"
"""The study's attribute: the process that searches it, and when it last said so."""
RENEWED_EVERY_S = 10.0
LOOKED_AT_S = 0.5
"""How long a lock may be held by those who only look whether it is."""
BEGAN_S = time.time()
"""When this process began, approximately, in seconds since 1970."""
STALE_AFTER_S = 60.0
"""A lease that was not renewed for so long is free; clocks of hosts may differ by less."""


@dataclass(frozen=True)
class Owner:
    """The process that searches."""

    host: str
    pid: int
    since: float
    """When it began, in seconds since 1970, because hosts reuse process ids."""

    @classmethod
    def this_process(cls) -> "Owner":
        """This process; always the same value."""
        return cls(platform.node(), os.getpid(), BEGAN_S)

    def __str__(self) -> str:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f"process {self.pid} on host {self.host} (since {since})"

    @property
    def is_dead(self) -> bool:
        """Whether it certainly no longer runs: it was on this host, where no other process has its id.

        A container that is restarted gives its process the same host name and id as before.
        """
        if self.host != platform.node():
            return False
        try:
            os.kill(self.pid, 0)
        except OSError as error:  # of another user's process: not permitted
            return isinstance(error, ProcessLookupError)
        return self.pid == os.getpid()


@contextmanager
def hold_session(folder: Path) -> Iterator[None]:
    """Keeps a second process from searching in the same folder at the same time.

    Raises:
        StudyError: another process does; with its host and process id.
    """
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=LOOKED_AT_S)
    except Timeout:
        raise StudyError(_refusal(str(folder), find_owner(folder))) from None
    try:
        with replacing(folder / OWNER) as temporary:
            temporary.write_text(json.dumps(asdict(Owner.this_process())))
        yield
        (folder / OWNER).unlink(missing_ok=True)
    finally:
        lock.release()


def find_owner(folder: Path) -> Owner | None:
    """The process that searches in this folder; None if none does, or if it has not written its name yet.

    The lock is tried only where a process has left its name, because whoever looks holds it for a moment.
    """
    owner = _read_owner(folder)
    if owner is None:
        return None
    try:
        with FileLock(folder / LOCK).acquire(timeout=0):
            return None
    except Timeout:
        return _read_owner(folder)
    except OSError:  # this user may only read here
        return None


def _read_owner(folder: Path) -> Owner | None:
    try:
        return Owner(**json.loads((folder / OWNER).read_text()))
    except (OSError, ValueError, TypeError):
        return None


@contextmanager
def hold_lease(study: optuna.Study, lost: Callable[[], None]) -> Iterator[None]:
    """Keeps a process of another folder or host from searching the same study at the same time.

    If two claim it at the same moment, the one whose claim remains keeps it. `lost` is called on a separate
    thread if another process has taken the lease over, because this one did not renew it for too long.

    Raises:
        StudyError: another process holds it; with its host and process id.
    """
    owner, token = Owner.this_process(), uuid4().hex
    while _lease(study).get("token") != token:
        if holder := find_lessee(study):
            raise StudyError(_refusal(f"study {study.study_name!r}", holder))
        _claim(study, owner, token)
        time.sleep(0.2)  # a claim that crossed ours has arrived by now
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(RENEWED_EVERY_S):
            # A database that is away for a while ends no search; the next renewal may reach it.
            with suppress(Exception):
                if _lease(study).get("token") != token:
                    ended.set()
                    lost()
                    return
                _claim(study, owner, token)

    thread = threading.Thread(target=renew, name="autoft-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(RENEWED_EVERY_S)
        with suppress(Exception):  # the lease ends by itself
            if _lease(study).get("token") == token:
                study.set_user_attr(LEASE_ATTR, {})


def find_lessee(study: optuna.Study) -> Owner | None:
    """The process that holds the study's lease, wherever it runs; None if none does."""
    lease = _lease(study)
    if not lease or time.time() - lease["renewed"] >= STALE_AFTER_S:
        return None
    owner = Owner(**lease["owner"])
    return None if owner.is_dead else owner


def searched_by(study: optuna.Study, folder: Path) -> Owner | None:
    """The process that searches the study, here or elsewhere; None if none does."""
    return find_owner(folder) or find_lessee(study)


def _lease(study: optuna.Study) -> dict[str, Any]:
    found: dict[str, Any] = study.user_attrs.get(LEASE_ATTR, {})
    return found


def _claim(study: optuna.Study, owner: Owner, token: str) -> None:
    study.set_user_attr(LEASE_ATTR, {"owner": asdict(owner), "token": token, "renewed": time.time()})


def _refusal(what: str, owner: Owner | None) -> str:
    who = f"{owner}" if owner else "another process"
    return f"{what}: {who} is searching this study now; wait for it, or stop it first with `autoft stop`"
