"""A study's own view in the MLflow UI: its runs, the best first, with the searched parameters as columns.

It is what the UI itself stores when a user shares a view: JSON in a tag of the experiment, which the address
names. A UI that does not know the tag shows the experiment as usual.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlflow import MlflowClient

from autoft.tracking import runs, tags

if TYPE_CHECKING:
    from autoft.study.records import StudyInfo

_TAG = "mlflow.sharedViewState."


def write(
    client: MlflowClient, experiment_id: str, info: "StudyInfo", study_id: str, searched: Sequence[str]
) -> None:
    """Stores the view with the experiment; `searched` are the names of the searched parameters."""
    metrics = dict.fromkeys([tags.OBJECTIVE_METRIC, info.objective])  # baselines have the latter alone
    columns = [*(f"metrics.`{name}`" for name in metrics), f"tags.`{tags.STATE}`", "attributes.`Duration`"]
    view = {
        "searchFilter": runs.has(STUDY=info.name, STUDY_ID=study_id),
        "orderByKey": columns[0],
        "orderByAsc": info.direction == "minimize",
        "selectedColumns": [*columns, *(f"params.`{name}`" for name in searched)],
    }
    client.set_experiment_tag(experiment_id, _TAG + study_id, json.dumps(view))


def path(client: MlflowClient, study: str) -> str | None:
    """Where the UI shows the newest study of this name; None if there is none."""
    if "'" in study or not (found := runs.parents(client, study)):
        return None
    experiment, study_id = found[0].info.experiment_id, found[0].data.tags[tags.STUDY_ID]
    return f"/#/experiments/{experiment}/runs?workflowType=machine_learning&viewStateShareKey={study_id}"
