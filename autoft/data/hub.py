"""Datasets of the Hugging Face hub, through `datasets`, which is imported only here and only when needed.

The token is read from `HF_TOKEN` at the moment of the request and goes nowhere else.
"""

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from autoft.data.formats import raw_split, with_class_names, with_groups
from autoft.data.rows import RawSplit, require_columns
from autoft.errors import DataError
from autoft.spec.study import DataSpec
from autoft.spec.task import Kind


def load_hub(spec: DataSpec, wanted: Sequence[str], kinds: Mapping[str, Kind] = {}) -> dict[str, RawSplit]:
    """The wanted columns of every split of `spec.hub`, under the hub's split names; `kinds` as in `load`.

    Where the hub cannot be reached, what `hf download` left in the hub's cache is read instead.
    Raises DataError that says what is missing and how to fetch it.
    """
    splits: dict[str, RawSplit] = {}
    for name, split in _fetch(spec).items():
        source = f"{spec.hub}[{name}]"
        require_columns(source, split.column_names, wanted)
        names = with_groups(wanted, split.column_names)
        features = {column: split.features[column] for column in wanted}
        of_one = {column: getattr(feature, "feature", feature) for column, feature in features.items()}
        classes = {column: feature.names for column, feature in of_one.items() if hasattr(feature, "names")}
        for column, feature in features.items():
            if hasattr(feature, "decode"):  # an image or a sound: its bytes are wanted, not what they show
                split = split.cast_column(column, replace(feature, decode=False))
        columns = with_class_names({column: split[column][:] for column in names}, classes)
        numbers = np.arange(1, len(split) + 1, dtype=np.int64)
        splits[name] = raw_split(source, "row", numbers, columns, wanted, kinds=kinds)
    return splits


def _fetch(spec: DataSpec) -> Any:
    """A `datasets.DatasetDict`."""
    # Read when huggingface_hub is imported; autoft sets them at its start, another program may not have.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_UPDATE_DOWNLOAD_COUNTS", "0")
    import datasets
    from huggingface_hub.utils.tqdm import disable_progress_bars

    datasets.disable_progress_bars()
    disable_progress_bars()
    datasets.utils.logging.set_verbosity_error()
    token = os.environ.get("HF_TOKEN") or None
    why = "HF_HUB_OFFLINE is set"
    try:
        if not datasets.config.HF_HUB_OFFLINE:
            try:
                return datasets.load_dataset(spec.hub, spec.config, revision=spec.revision, token=token)
            except ConnectionError as error:
                why = f"the hub cannot be reached ({_first_line(error)})"
        return _from_cache(spec, datasets)
    except (datasets.exceptions.DatasetNotFoundError, datasets.exceptions.DataFilesNotFoundError) as error:
        login = "HF_TOKEN is set" if token else "HF_TOKEN is not set; a private or gated dataset needs it"
        raise DataError(
            f"{spec.hub}: the hub does not give this dataset: {_first_line(error)} ({login})"
        ) from None
    except ConnectionError:
        raise DataError(_missing(spec, why)) from None
    except (ValueError, OSError, datasets.exceptions.DatasetsError) as error:
        fix = "; set data.config" if "Config name is missing" in str(error) else ""
        raise DataError(
            f"{spec.hub}: the dataset cannot be read: {' '.join(str(error).split())}{fix}"
        ) from None


def _from_cache(spec: DataSpec, datasets: Any) -> Any:
    """The snapshot in the hub's cache, else what `datasets` itself kept of an earlier load."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = snapshot_download(
            str(spec.hub), repo_type="dataset", revision=spec.revision, local_files_only=True, token=False
        )
    except LocalEntryNotFoundError as error:
        if spec.revision is not None:  # what `datasets` kept does not say of which revision it is
            raise ConnectionError(_first_line(error)) from None
        return datasets.load_dataset(spec.hub, spec.config, token=False)
    return datasets.load_dataset(str(folder), spec.config)


def _missing(spec: DataSpec, why: str) -> str:
    from huggingface_hub.constants import HF_HUB_CACHE

    command = ["hf", "download", "--repo-type", "dataset", str(spec.hub)]
    if spec.revision:
        command += ["--revision", spec.revision]
    name = str(spec.hub).replace("/", "--")
    return (
        f"{spec.hub}: the dataset{f' at revision {spec.revision}' if spec.revision else ''} is not in "
        f"{HF_HUB_CACHE}, and {why}. Fetch it where there is a network:\n"
        f"  {shlex.join(command)}\n"
        f"and copy the folder {Path('datasets--' + name)} that it makes in its cache to {HF_HUB_CACHE} here"
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
