"""From a task's name to what it does."""

from importlib import import_module

from autoft.errors import StudyError
from autoft.spec.tasks import TASKS
from autoft.tasks.protocol import Task


def find_task(name: str) -> Task:
    """What a task does, by the name that it has in space.yaml. Imports torch and transformers.

    Raises:
        StudyError: there is none of that name here.
    """
    if name not in TASKS:
        raise StudyError(
            f"the task {name} is not known here (there are {', '.join(TASKS)}); install the package that it "
            "comes with"
        )
    module, _, attribute = TASKS[name].implementation.partition(":")
    task: Task = getattr(import_module(module), attribute)()
    return task
