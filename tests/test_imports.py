"""What a command imports decides how long it takes to start: torch, transformers and MLflow take seconds."""

import json
import subprocess
import sys

HEAVY = {
    "torch",
    "transformers",
    "sklearn",
    "scipy",
    "pandas",
    "datasets",
    "ray",
    "mlflow",
    "optuna",
    "pyarrow",
}
COMMANDS = """
import contextlib, json, sys
from autoft.cli import app
from autoft.errors import AutoftError
loaded = []
for words in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(None), contextlib.suppress(AutoftError):
        app(words, standalone_mode=False)
    loaded.append([name for name in sys.modules if "." not in name])
print(json.dumps(loaded))
"""


def imported(folder, *commands):
    """Of HEAVY, what there is after each of the commands, run one after the other in one process."""
    words = json.dumps([command.split() for command in commands])
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, words], cwd=folder, capture_output=True, text=True, check=True
    )
    return [HEAVY & set(names) for names in json.loads(done.stdout.splitlines()[-1])]


def test_what_only_reads_a_study_imports_neither_torch_nor_mlflow(searched):
    explain, *reading = imported(
        searched[0],
        "explain learning_rate",
        "status",
        "status quickstart",
        "show quickstart",
        "show quickstart 0",
        "stop quickstart",
        "add quickstart learning_rate=0.0005",
    )
    assert explain == set()
    assert reading == [{"optuna", "pyarrow"}] * 6


def test_what_asks_mlflow_for_a_registered_model_imports_no_torch(searched):
    """MLflow itself imports pandas, and with that pyarrow and scipy."""
    best, promote = imported(searched[0], "best quickstart", "promote quickstart")
    assert best == {"mlflow", "pandas", "pyarrow", "scipy"}
    assert promote == best | {"optuna"}


def test_the_package_itself_imports_nothing_heavy(tmp_path):
    names = "import sys, autoft; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", names], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "autoft" in done.stdout.split() and not HEAVY & set(done.stdout.split())
