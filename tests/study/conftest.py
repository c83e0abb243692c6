"""Ray is started once for all tests of this folder that need one: it takes seconds."""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from optuna.storages import RDBStorage
from ray import cloudpickle

from autoft.spec.study import Resources
from autoft.study.layout import DATABASE
from autoft.study.ray_tune.runtime import Runtime, ray_runtime

from . import scripted


@pytest.fixture(scope="package")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """A local Ray with places for two trials, on however few cores."""
    cloudpickle.register_pickle_by_value(sys.modules[scripted.__name__])  # workers need not see the tests
    with ray_runtime(Resources(), tmp_path_factory.mktemp("ray") / "ray.log") as runtime:
        assert runtime.max_concurrent >= 2, "the tests of parallel trials need two cores"
        yield replace(runtime, max_concurrent=2)


@pytest.fixture
def one_worker(two_workers: Runtime) -> Runtime:
    """Trials one after another, so that what happens is known to the last bit."""
    return replace(two_workers, max_concurrent=1)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Optuna's tables, which take half a second to make."""
    path = tmp_path_factory.mktemp("optuna") / "empty.db"
    RDBStorage(f"sqlite:///{path}")
    return path


@pytest.fixture
def folder(tmp_path: Path, empty_database: Path) -> Path:
    """A study's folder, in which no study is yet."""
    folder = tmp_path / "studies/study"
    folder.mkdir(parents=True)
    shutil.copy(empty_database, folder / DATABASE)
    return folder


@pytest.fixture
def limited_group() -> Iterator[Callable[[int], Path]]:
    """Makes a control group whose processes may have so many bytes together, and no swap."""
    first_version = Path("/sys/fs/cgroup/memory")
    root = first_version if first_version.exists() else Path("/sys/fs/cgroup")
    group = root / f"autoft-test-{os.getpid()}"

    def make(limit: int) -> Path:
        vmstat = Path("/proc/vmstat")
        if not vmstat.exists() or "oom_kill " not in vmstat.read_text():
            pytest.skip("this kernel does not count what it ends for want of memory")
        try:
            group.mkdir()
            name = "memory.limit_in_bytes" if root == first_version else "memory.max"
            (group / name).write_text(str(limit))
            swap = "memory.swappiness" if root == first_version else "memory.swap.max"
            (group / swap).write_text("0")
        except OSError as error:
            pytest.skip(f"this user may not limit the memory of a control group: {error}")
        return group

    yield make
    if group.exists():
        while (group / "cgroup.procs").read_text():  # they are about to end
            time.sleep(0.05)
        group.rmdir()
