"""The tasks that the kernel can train, by the name they have in space.yaml."""

from collections.abc import Mapping

from autoft.kernel.tasks.text_classification import TextClassification

TASKS: Mapping[str, TextClassification] = {task.name: task for task in (TextClassification(),)}
"""A second task will show what they have in common; until then there is no interface for it."""
