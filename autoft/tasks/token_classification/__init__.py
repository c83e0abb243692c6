"""A tag for each token of a text: names, places and other entities."""

from autoft.spec.hyperparameters import MAX_LENGTH
from autoft.spec.metrics import Metric, by_name
from autoft.spec.task import TaskSpec

TASK = TaskSpec(
    name="token-classification",
    meaning="a BIO tag for each token: names, places and other entities",
    occurrence="entity type",
    max_inputs=1,
    inputs="texts",
    target="texts",
    metrics=by_name(
        Metric("entity_f1", "maximize", "F1 of whole entities: type and both ends have to be right"),
        Metric("entity_precision", "maximize", "how often a predicted entity is right"),
        Metric("entity_recall", "maximize", "how many of the entities are found"),
        Metric("token_accuracy", "maximize", "share of the tokens with the right tag"),
    ),
    own=(MAX_LENGTH,),
    implementation="autoft.tasks.token_classification.task:TokenClassification",
)
