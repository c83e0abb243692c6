"""Where a study keeps its files: every name below is relative to the study's folder."""

import re
import tempfile
from pathlib import Path

from autoft.errors import StudyError

DATABASE = "study.db"
SPACE = "space.yaml"
"""The resolved request of the last session, environment variables unexpanded: a name leads back to it."""
LOCK = "session.lock"
"""Locked while a process searches; the operating system releases it when that process dies."""
OWNER = "session.json"
"""The host and process that hold the lock."""
LOG = "autoft.log"
"""What the libraries and autoft itself log on the driver."""
DATA = "data"
"""Prepared rows, tokens and stored states."""
CONFIRM = "confirm"
"""The folder of the study of replicas (`judge.replicas`), laid out like a study's own."""
REFIT = "refit"
"""The folder of the study in which the winner is trained again (`autoft.refit`), laid out likewise."""
PAGE = "report.html"
"""What a search has found, for a person."""
LOGS = "logs"
RAY_LOG = f"{LOGS}/ray.log"
CHECKPOINTS = "checkpoints"
LONGEST_TEMPORARY_FOLDER = 24
"""Characters; Ray puts sockets below it, whose paths Linux limits to 107 bytes."""


def study_folder(name: str) -> Path:
    """The folder of a study: `studies/<name>` in the working directory, absolute."""
    return Path.cwd() / "studies" / name


def study_names() -> list[str]:
    """The studies with a folder in the working directory, in alphabetical order."""
    folders = Path.cwd().glob("studies/*/")
    return sorted(each.name for each in folders if (each / SPACE).exists() or (each / DATABASE).exists())


def sealed_folder(name: str) -> Path:
    """The folder of a study's test rows, outside its own, which workers read; never a study's folder."""
    return Path.cwd() / "studies" / ".sealed" / name


def temporary_folder() -> Path:
    """Where Ray's files are put: the system's temporary folder, unless its path is too long.

    Raises StudyError if there is none that can be written to.
    """
    try:
        usual = tempfile.gettempdir()
    except FileNotFoundError as error:
        raise StudyError(f"{error.strerror}: set TMPDIR to a folder that can be written to") from None
    return Path(usual if len(usual) <= LONGEST_TEMPORARY_FOLDER else "/tmp")


def checkpoint_name(number: int, attempt: int) -> str:
    """The best model of one attempt at a trial.

    A trial's files exist while it runs; afterwards only the checkpoints of the best trials are kept.
    """
    return f"{CHECKPOINTS}/trial-{number:04d}.{attempt}.safetensors"


def resume_name(number: int, attempt: int) -> str:
    """The state from which another attempt resumes; deleted when the trial has ended."""
    return f"{CHECKPOINTS}/trial-{number:04d}.{attempt}.resume"


def trial_of(name: str) -> int:
    """The number of the trial that a file in the folder of checkpoints belongs to; -1 if to none.

    >>> trial_of("trial-0012.2.safetensors"), trial_of(".trial-0012.1.resume.x8"), trial_of("notes.txt")
    (12, 12, -1)
    """
    found = re.match(r"\.?trial-(\d+)\.", name)
    return int(found[1]) if found else -1


def log_name(number: int) -> str:
    """Everything that a trial's worker printed."""
    return f"{LOGS}/trial-{number:04d}.log"


def make_folders(folder: Path) -> None:
    """Creates the study's folder and what lies in it."""
    for name in (CHECKPOINTS, LOGS):
        (folder / name).mkdir(parents=True, exist_ok=True)
