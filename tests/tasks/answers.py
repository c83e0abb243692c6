"""What a model answers to texts, as a study asks it."""

import numpy as np
import pyarrow as pa

from autoft.tasks.find import find_task
from autoft.tasks.predictions import predictions


def example(*columns):
    """Rows of rows.arrow with these texts, a column each, all of the first label."""
    texts = {f"input_{i}": pa.array(list(column), pa.large_string()) for i, column in enumerate(columns)}
    return pa.table({**texts, "target": pa.array([0] * len(columns[0]), pa.int32())})


def logits(model, tokenizer, *columns, max_length) -> np.ndarray:
    """[n, classes] for one column of n texts, or for two of pairs."""
    task, targets = find_task("text-classification"), {"labels": list(model.config.label2id)}
    values = {"max_length": max_length}
    return predictions(task, model, tokenizer, example(*columns), targets, values)[0]["logits"]
