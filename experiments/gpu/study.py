"""A study's inputs without a study: what the parts fine-tune with the kernel alone."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from autoft.data.prepare import examine
from autoft.kernel.boundary.decide import plan_cache
from autoft.kernel.device import Precision
from autoft.kernel.pretrained import resolve
from autoft.kernel.study_inputs import StudyInputs
from autoft.kernel.workbench import Workbench
from autoft.spec.read import read_spec
from autoft.spec.study import StudySpec
from autoft.study.cuda_graphs import with_graphs
from autoft.study.pruner import expected_passes
from autoft.tasks.find import find_task


def open_workbench(
    request: Path | dict[str, Any], folder: Path, precision: Precision
) -> tuple[StudySpec, Workbench]:
    """The workbench of a request, with its cache planned; GRAPHS in the environment: captured steps."""
    overrides = ("resources.cuda_graphs=true",) if os.environ.get("GRAPHS") else ()
    spec = read_spec(request, overrides)
    prepared = examine(spec.data, find_task(spec.task)).write(folder)
    inputs = replace(StudyInputs.of(spec, prepared), cpus=1, models=tuple(map(resolve, spec.models)))
    plan = plan_cache(spec, inputs, precision, expected_passes(spec))
    plan = with_graphs(plan, spec, inputs, precision)
    return spec, Workbench(replace(inputs, cache_plan=plan))
