"""A task of somebody else's package: one label for an image file. Laid down as `acme_vectors` is."""

from autoft.spec.task import TaskSpec
from autoft.tasks.classification_metrics import METRICS

TASK = TaskSpec(
    name="acme-images",
    meaning="one label for an image",
    occurrence="label",
    max_inputs=1,
    metrics=METRICS,
    own=(),
    implementation="acme_images_task:ImageClassification",
    inputs="file",
)
