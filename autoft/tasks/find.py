"""From a task's name to what it does."""

from importlib import import_module

from autoft.spec.tasks import TASKS
from autoft.tasks.protocol import Task


def find_task(name: str) -> Task:
    """What a task does, by the name that it has in space.yaml. Imports torch and transformers."""
    module, _, attribute = TASKS[name].implementation.partition(":")
    task: Task = getattr(import_module(module), attribute)()
    return task
