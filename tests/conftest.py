"""What every test may use: an empty working directory, and no settings of the machine."""

import os
import signal
from pathlib import Path

import pytest

from .main_job import run_from_the_start, search_words

REPOSITORY = Path(__file__).parents[1]
SHARED = REPOSITORY.parent / "shared" / "data"


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch):
    """Tests publish to where they say, and join no Ray that happens to run here."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "RAY_ADDRESS", "HF_TOKEN"):
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
    return folder, run_from_the_start(folder, *search_words())


FIRST = ("main-job", "test_cli.py", "kernel", "tracking", "study/ray")
"""Groups of tests that take long, in this order."""


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(config, items):
    """Tests that need what a fresh machine lacks are skipped with the reason."""
    import torch

    for item in items:
        if item.get_closest_marker("gpu") and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="no CUDA device here"))
        if item.get_closest_marker("shared") and not SHARED.is_dir():
            item.add_marker(pytest.mark.skip(reason="the shared development datasets are not here"))
        if config.pluginmanager.hasplugin("xdist"):
            item.add_marker(pytest.mark.xdist_group(group_of(item)))
    if hasattr(config, "workerinput"):  # side by side: what takes longest first, so that nobody waits for it
        items.sort(key=lambda item: FIRST.index(group_of(item)) if group_of(item) in FIRST else len(FIRST))


def group_of(item):
    """Tests that run one after another, in one process of `pytest -n`: of a folder, but for the longest."""
    if "searched" in item.fixturenames:
        return "main-job"
    folder, _, rest = item.nodeid.removeprefix("tests/").partition("/")
    return folder.partition("::")[0] + ("/ray" if rest.startswith("ray_tune/") else "")


# A shell starts background jobs with SIGINT ignored, nohup with SIGHUP; what tests start would inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: two tests may run side by side
