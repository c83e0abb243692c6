"""The workbench of a worker process, built from what its node finds.

In a module of its own, because the worker imports it to unpickle it: with it come torch and transformers, but
neither MLflow nor Ray Tune's driver.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from autoft.kernel.pretrained import resolve
from autoft.kernel.study_inputs import StudyInputs
from autoft.kernel.workbench import Workbench
from autoft.spec.study import ModelRef
from autoft.study.worker_interface import Node


@dataclass(frozen=True)
class BuildWorkbench:
    """Builds the workbench in a worker process, from what the worker's node finds."""

    models: tuple[ModelRef, ...]
    study_inputs: StudyInputs
    """The inputs as the driver sees them; without models, which each node resolves itself."""

    def __call__(self, node: Node) -> Workbench:
        """See `study.worker_interface.MakeWorkbench`."""
        here = [
            replace(ref, location=str(node.locate(Path(ref.location)))) if ref.kind == "folder" else ref
            for ref in self.models
        ]
        return Workbench(
            replace(
                self.study_inputs,
                models=tuple(resolve(ref) for ref in here),
                rows=node.locate(self.study_inputs.rows),
                cache=node.scratch(self.study_inputs.cache),
            )
        )
