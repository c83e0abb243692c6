"""The study's baselines as runs of their own below the study's, written once."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag

from autoft.tracking import tags

if TYPE_CHECKING:
    from autoft.study.baselines import Baseline

ROLE = "baseline"


def adopt(client: MlflowClient, found: Iterable[Run], parent_id: str) -> dict[str, Run]:
    """The runs of baselines among those `found`, by name, below the parent; deletes what is there twice."""
    several: dict[str, list[Run]] = defaultdict(list)
    for run in found:
        if run.data.tags.get(tags.ROLE) == ROLE:
            several[run.data.tags[tags.BASELINE]].append(run)
    kept = dict[str, Run]()
    for name, of_name in several.items():
        kept[name] = max(of_name, key=lambda run: run.info.status != "RUNNING")
        for run in of_name:
            if run is not kept[name]:  # created by a request that was given up but arrived after all
                client.delete_run(run.info.run_id)
    for run in kept.values():
        if run.data.tags.get(tags.PARENT) != parent_id:
            client.set_tag(run.info.run_id, tags.PARENT, parent_id)
    return kept


def project(
    client: MlflowClient,
    experiment_id: str,
    wanted: Mapping[str, str],
    baseline: "Baseline",
    there: Run | None,
) -> Run:
    """Writes a baseline, with the tags `wanted`; continues the run that is `there`. Returns the ended run."""
    run = there or client.create_run(
        experiment_id,
        run_name=f"baseline-{baseline.name}",
        tags={**wanted, tags.ROLE: ROLE, tags.BASELINE: baseline.name},
    )
    values = {**baseline.metrics, "duration_s": baseline.seconds}
    client.log_batch(
        run.info.run_id,
        metrics=[Metric(name, value, run.info.start_time, 0) for name, value in values.items()],
        params=[Param("training_rows", str(baseline.rows))],
        tags=[RunTag(tags.REASON, tags.clip(baseline.failed))] if baseline.failed else [],
    )
    client.set_terminated(run.info.run_id, "FAILED" if baseline.failed else "FINISHED")
    return client.get_run(run.info.run_id)
