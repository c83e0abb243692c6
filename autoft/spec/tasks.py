"""The tasks: what a model can be fine-tuned for. Found by walking `autoft/tasks/`, so a new folder is enough.

Packages of others declare theirs as an entry point of the group `autoft.tasks` that names a `TaskSpec`, in a
module that imports of autoft only `spec.task`, `spec.metrics` and `spec.hyperparameters`.
"""

import logging
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from importlib.metadata import entry_points

from autoft.spec.hyperparameters import Hyperparameter
from autoft.spec.metrics import Metric
from autoft.spec.task import TaskSpec

FOLDER = "autoft.tasks"
"""The package that is walked, and the name of the group of entry points."""
_LOG = logging.getLogger(__name__)


def _own() -> Iterator[TaskSpec]:
    for module in pkgutil.iter_modules(import_module(FOLDER).__path__, f"{FOLDER}."):
        if module.ispkg:
            yield import_module(module.name).TASK


def _of_others() -> Iterator[TaskSpec]:
    for entry in entry_points(group=FOLDER):
        try:
            task = entry.load()
        except Exception as error:  # the package may raise anything; the other tasks work without it
            _leave_out(entry.value, f"it cannot be imported: {error!r}")
            continue
        if isinstance(task, TaskSpec):
            yield task
        else:
            _leave_out(entry.value, f"it is no TaskSpec, but a {type(task).__name__}")


def _by_name() -> dict[str, TaskSpec]:
    tasks = {task.name: task for task in _own()}
    for task in _of_others():
        if task.name in tasks:
            _leave_out(task.implementation, f"{task.name} is {tasks[task.name].implementation}")
        elif clash := next(filter(None, (_clash(task, other) for other in tasks.values())), None):
            _leave_out(task.implementation, clash)
        else:
            tasks[task.name] = task
    return tasks


def _clash(task: TaskSpec, other: TaskSpec) -> str | None:
    """Which name of `task` says something else in `other`; only their words may differ."""
    for what, mine, others in (
        ("hyperparameter", task.hyperparameters, other.hyperparameters),
        ("metric", task.metrics, other.metrics),
    ):
        for name, each in mine.items():
            if name in others and replace(each, meaning="") != replace(others[name], meaning=""):
                return f"its {what} {name} is not that of {other.name}: declare the same or rename it"
    return None


def _leave_out(task: str, why: str) -> None:
    _LOG.warning("the task %s is left out: %s", task, why)


TASKS: Mapping[str, TaskSpec] = _by_name()
"""By name."""

HYPERPARAMETERS: Mapping[str, Hyperparameter] = {
    name: each for task in TASKS.values() for name, each in task.hyperparameters.items()
}
"""Of all tasks, by name: a name means the same in each of them, see `_clash`."""

METRICS: Mapping[str, Metric] = {
    name: metric for task in TASKS.values() for name, metric in task.metrics.items()
}
"""The same of their metrics."""
