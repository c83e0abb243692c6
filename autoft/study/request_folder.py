"""The folder that a study's request lay in: paths in the copy that the study keeps begin there."""

import os
from pathlib import Path

import optuna

FOLDER_ATTR = "request_folder"
"""The study's attribute: that folder as seen from the study's, so that both can be moved together."""


def write_request_folder(study: optuna.Study, base: Path, folder: Path) -> None:
    """Stores `base`, the folder of the last session's request; `folder` is the study's."""
    study.set_user_attr(FOLDER_ATTR, os.path.relpath(base, folder))


def read_request_folder(study: optuna.Study, folder: Path) -> Path:
    """That folder, absolute; of a study that does not know it, the working directory."""
    stored = study.user_attrs.get(FOLDER_ATTR)
    return Path.cwd() if stored is None else Path(os.path.abspath(folder / stored))
