"""A task of somebody else's package: one label for a row of SIZE numbers. Nothing of it is text.

`test_third_party_task` lays it and `acme_vectors_task` down as a package with an entry point of its own.
"""

from autoft.spec.task import TaskSpec
from autoft.tasks.classification_metrics import METRICS

SIZE = 40
TASK = TaskSpec(
    name="acme-vectors",
    meaning="one label for a row of numbers",
    occurrence="label",
    max_inputs=1,
    metrics=METRICS,
    own=(),
    implementation="acme_vectors_task:VectorClassification",
    inputs="texts",  # a list; its elements are read as they are written
)
