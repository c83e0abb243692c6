"""Rows prepared as a study prepares them, in one call."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from autoft.data.prepare import PreparedData, examine
from autoft.spec.study import DataSpec
from autoft.tasks.find import find_task

RULES = find_task("text-classification")


def prepare(spec: DataSpec, folder: Path, frames: Mapping[str, pd.DataFrame] | None = None) -> PreparedData:
    """Examined, and written into `folder`."""
    return examine(spec, RULES, frames).write(folder)
