"""What every test may use: an empty working directory, and no settings of the machine."""

import os
import shutil
import signal
from contextlib import chdir, contextmanager
from pathlib import Path

import pytest

from .main_job import run_from_the_start, search_words

REPOSITORY = Path(__file__).parents[1]
SHARED = REPOSITORY.parent / "shared" / "data"


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch):
    """Tests publish to where they say, and join no Ray that happens to run here."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "RAY_ADDRESS", "HF_TOKEN", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def workdir(tmp_path, monkeypatch):
    """An empty working directory: outputs go there."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def searched(tmp_path_factory):
    """A folder with a finished search of the quickstart, cut short, and what the command printed."""
    folder = tmp_path_factory.mktemp("main-job")
    with hidden_libraries(folder):
        ran = run_from_the_start(folder, *search_words("resources.max_concurrent=2"))
    return folder, ran


@contextmanager
def hidden_libraries(folder):
    """In the block, files and folders there have the names of libraries, as a user's may."""
    names = ("tokenizers", "datasets", "queue", "logging", "sklearn", "peft", "yaml")
    for name in names[:4]:
        (folder / f"{name}.py").write_text('raise RuntimeError("mine")\n')
    for name in names[4:]:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text('raise RuntimeError("mine")\n')
    try:
        yield
    finally:
        for name in names[:4]:
            (folder / f"{name}.py").unlink()
        for name in names[4:]:
            shutil.rmtree(folder / name)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """Making its tables takes seconds, so it is made once and copied."""
    from autoft.tracking import store

    path = tmp_path_factory.mktemp("mlflow") / "empty.db"
    with chdir(path.parent):  # MLflow makes a folder for artifacts where it stands
        store.connect(f"sqlite:///{path}")
    return path


FIRST = ("main-job", "test_cli", "kernel", "conformance", "tracking", "ray_tune")
"""Groups of tests that take long, in this order: begun first, so that nobody waits for them in the end."""


def pytest_collection_modifyitems(config, items):
    """Tests that need what a fresh machine lacks are skipped with the reason."""
    import torch

    for item in items:
        if item.get_closest_marker("gpu") and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="no CUDA device here"))
        if item.get_closest_marker("shared") and not SHARED.is_dir():
            item.add_marker(pytest.mark.skip(reason="the shared development datasets are not here"))
    if hasattr(config, "workerinput"):  # of `pytest -n`
        order = {group: place for place, group in enumerate(FIRST)}
        items.sort(key=lambda item: order.get(group_of(item.nodeid), len(FIRST)))


def group_of(nodeid):
    """Tests of a group run in one process of `pytest -n`: those of a folder, or that share a real search."""
    file = Path(nodeid.partition("::")[0])
    if file.name in ("test_main_job.py", "test_readme.py", "test_control.py"):
        return "main-job"
    return file.stem if file.parent.name == "tests" else file.parts[2 if "ray_tune" in file.parts else 1]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """By our groups: with pytest 9.2 xdist's `--dist loadgroup` does nothing (pytest-xdist issue 1386)."""
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return group_of(nodeid)

    config.option.loadscopereorder = False  # it would begin with the groups of most tests
    return ByGroup(config, log)


# A shell starts background jobs with SIGINT ignored, nohup with SIGHUP; what tests start would inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
# Workers import what tests hand them; the working directory is not where they look.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: two tests may run side by side
