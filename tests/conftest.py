"""What every test may use: an empty working directory, and no settings of the machine."""

import os
import signal
from pathlib import Path

import pytest

from .main_job import short_search

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
    return folder, short_search(folder)


def pytest_collection_modifyitems(items):
    """Tests that need what a fresh machine lacks are skipped with the reason."""
    import torch

    for item in items:
        if item.get_closest_marker("gpu") and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="no CUDA device here"))
        if item.get_closest_marker("shared") and not SHARED.is_dir():
            item.add_marker(pytest.mark.skip(reason="the shared development datasets are not here"))


# A shell starts background jobs with SIGINT ignored, nohup with SIGHUP; what tests start would inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: two tests may run side by side
