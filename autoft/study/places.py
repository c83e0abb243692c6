"""Where a study keeps its files: every name below is relative to the study's folder."""

from pathlib import Path

DATABASE = "study.db"
SPACE = "space.yaml"
"""The resolved request of the last sitting, environment variables unexpanded: a name leads back to it."""
LOCK = "sitting.lock"
"""Held while a process searches; the operating system frees it when that process dies."""
RAY_LOG = "logs/ray.log"


def study_folder(name: str) -> Path:
    """The folder of a study: `studies/<name>` in the working directory, absolute."""
    return Path.cwd() / "studies" / name


def checkpoint_name(number: int) -> str:
    """The checkpoint of a trial; the file exists while the trial runs, and after it only for the best one."""
    return f"checkpoints/trial-{number:04d}.safetensors"


def log_name(number: int) -> str:
    """Everything that a trial's worker printed."""
    return f"logs/trial-{number:04d}.log"


def make_folders(folder: Path) -> None:
    """Creates the study's folder and what lies in it."""
    for name in (checkpoint_name(0), log_name(0)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
