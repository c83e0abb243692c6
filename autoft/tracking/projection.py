"""One trial, and the study as a whole, written to MLflow: the same record twice changes nothing.

A trial that is over costs three requests: create the run, one batch, end the run.
"""

import getpass
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag

from autoft.study.comparison import default_of, refit_standing, standing, tested_standing, winner_of
from autoft.tracking import baselines, parent_metrics, runs, study_view, tags
from autoft.tracking.description import describe

if TYPE_CHECKING:
    from autoft.kernel.measurement import Measurement
    from autoft.study.confirmed import Confirmed
    from autoft.study.records import StudyInfo, TrialRecord
    from autoft.study.tested import Tested

STATUS = {"COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAIL": "FAILED"}
"""MLflow's status for a trial's state; a running trial's run needs none."""
_BATCH_METRICS = 1000
"""The most that MLflow takes in one request."""
_DIGEST_CHARS = 36
"""The longest digest of a dataset that MLflow accepts."""


@dataclass
class TrialRun:
    """What MLflow is known to hold of one trial."""

    run_id: str
    status: str = "RUNNING"
    """The status of the run in MLflow."""
    tags: dict[str, str] = field(default_factory=dict)
    """The tags in MLflow, so that only changes are sent."""
    measured: set[tuple[int, float | None]] = field(default_factory=set)
    """(step, objective) of the measurements that are logged; an interrupted trial may repeat some."""

    def shows(self, state: str) -> bool:
        """Whether nothing more has to be written for an ended trial in this state."""
        return self.status == STATUS.get(state) and self.tags.get(tags.STATE) == state


@dataclass
class Projection:
    """The runs of one study in one experiment.

    Every method raises what MLflow raises; after that a new `Projection` finds out what arrived.
    """

    client: MlflowClient
    experiment_id: str
    info: "StudyInfo"
    study_id: str
    parent_id: str
    trials: dict[int, TrialRun]
    parent_tags: dict[str, str]
    """The parent's tags in MLflow, so that only changes are sent."""
    baselines: dict[str, Run]
    """The runs of baselines by name."""
    steps: int
    """The last step of the parent's metrics (`parent_metrics.progress`)."""
    columns: list[str] = field(default_factory=list)
    """The searched parameters that the study's view in the UI shows (`study_view`)."""

    @classmethod
    def open(cls, client: MlflowClient, experiment_id: str, info: "StudyInfo", study_id: str) -> "Projection":
        """Finds the study's runs by their tags; creates the parent if there is none, and fills it."""
        mine = runs.has(STUDY=info.name, STUDY_ID=study_id)
        found = list(runs.search(client, [experiment_id], mine, ["attributes.start_time ASC"]))
        trials = [run for run in found if run.data.tags.get(tags.ROLE) == "trial"]
        children = Counter(run.data.tags.get(tags.PARENT) for run in trials)
        parents = [run for run in found if run.data.tags.get(tags.ROLE) == "study"]
        parent = max(parents, key=lambda run: children[run.info.run_id], default=None)
        if parent is None:
            parent = client.create_run(
                experiment_id,
                run_name=info.name,
                tags={**_common(info, study_id), tags.ROLE: "study", tags.STATE: "RUNNING"},
            )
        elif parent.info.status != "RUNNING":
            client.update_run(parent.info.run_id, status="RUNNING")
        of_trials: dict[int, list[Run]] = defaultdict(list)
        for run in trials:
            of_trials[int(run.data.tags[tags.TRIAL])].append(run)
        kept = {number: runs.fullest(several) for number, several in of_trials.items()}
        for run in (*parents, *trials):  # created by a request that was given up but arrived after all
            if run is not parent and run not in kept.values():
                client.delete_run(run.info.run_id)
        projection = cls(
            client=client,
            experiment_id=experiment_id,
            info=info,
            study_id=study_id,
            parent_id=parent.info.run_id,
            trials={number: _adopt(client, run, info) for number, run in kept.items() if run},
            parent_tags=dict(parent.data.tags),
            baselines=baselines.adopt(client, found, parent.info.run_id),
            steps=int(parent.data.metrics.get(parent_metrics.ENDED, 0)),
        )
        projection._take_children()
        projection._fill_parent(parent.data.params)
        return projection

    def _take_children(self) -> None:
        """Adopts trials whose parent run is gone."""
        for known in self.trials.values():
            if known.tags.get(tags.PARENT) != self.parent_id:
                self.client.set_tag(known.run_id, tags.PARENT, self.parent_id)
                known.tags[tags.PARENT] = self.parent_id

    def _fill_parent(self, there: Mapping[str, str]) -> None:
        info = self.info
        new = {
            name: value for name, value in info.fixed.items() if name not in there
        }  # MLflow keeps the first
        self.client.log_batch(self.parent_id, params=_params(new))
        self._tag_parent(
            {
                tags.TASK: info.task,
                tags.OBJECTIVE: info.objective,
                tags.DIRECTION: info.direction,
                tags.STATE: "RUNNING",
                tags.VERSIONS: tags.clip(json.dumps(dict(info.versions), sort_keys=True)),
            }
        )
        self.client.log_inputs(
            self.parent_id, [DatasetInput(_dataset(info), [InputTag("mlflow.data.context", "training")])]
        )
        self.client.log_text(self.parent_id, info.text, "space.yaml")

    def project(self, trial: "TrialRecord") -> None:
        """Updates the trial's run to match its record."""
        known = self.trials.get(trial.number)
        if known is None:
            known = self.trials[trial.number] = self._create(trial)
        if known.shows(trial.state):
            return
        changed = {key: value for key, value in _tags_of(trial).items() if known.tags.get(key) != value}
        new = [one for one in trial.measurements if self._key(one) not in known.measured]
        self.client.log_batch(
            known.run_id,
            metrics=[*metrics(trial, new), *_outcome(trial)],
            params=_params(trial.params),
            tags=[RunTag(key, value) for key, value in changed.items()],
        )
        known.tags.update(changed)
        known.measured.update(self._key(one) for one in new)
        if trial.traceback:
            self.client.log_text(known.run_id, trial.traceback, "traceback.txt")
        if trial.state in STATUS:
            self.client.set_terminated(known.run_id, STATUS[trial.state], _milliseconds(trial.finished))
            known.status = STATUS[trial.state]

    def _create(self, trial: "TrialRecord") -> TrialRun:
        wanted = {
            **_common(self.info, self.study_id),
            tags.ROLE: "trial",
            tags.PARENT: self.parent_id,
            tags.TRIAL: str(trial.number),
            **_tags_of(trial),
        }
        run = self.client.create_run(
            self.experiment_id,
            start_time=_milliseconds(trial.started),
            run_name=f"trial-{trial.number:04d}",
            tags=wanted,
        )
        return TrialRun(run.info.run_id, tags=wanted)

    def _key(self, one: "Measurement") -> tuple[int, float | None]:
        return one.step, one.metrics.get(self.info.objective)

    def conclude(self, trials: Sequence["TrialRecord"], model_uri: str | None) -> None:
        """Writes the study's answer so far to the parent."""
        direction, confirmed = self.info.direction, self.info.confirmed
        best, default = winner_of(trials, direction, confirmed), default_of(trials)
        known = None if best is None else self.trials.get(best.number)
        note = describe(
            self.info, trials, best, self.experiment_id, known.run_id if known else None, model_uri
        )
        wanted = {tags.NOTE: note}
        tested = tested_standing(self.info, trials)
        stands, refitted = standing(confirmed, trials, direction), refit_standing(self.info, trials)
        for tag, said in (
            (tags.CONFIRMATION, _found(stands) if stands else ""),
            (tags.REFIT, json.dumps(asdict(refitted)) if refitted else ""),
            (tags.TEST, json.dumps(tested.to_dict()) if tested else ""),
        ):
            if said or self.parent_tags.get(tag):
                wanted[tag] = said
        if best is not None and self.info.confirms is None:
            wanted[tags.BEST] = str(best.number)
        if default is not None:
            wanted[tags.DEFAULT] = str(default.number)
        if model_uri is not None:
            wanted[tags.MODEL_URI] = model_uri
        self._measure_parent(
            trials, tested if self.parent_tags.get(tags.TEST) != wanted.get(tags.TEST) else None
        )
        self._tag_parent(wanted)
        self._project_baselines()
        columns = list(dict.fromkeys(name for trial in trials for name in trial.params))
        if columns != self.columns:
            study_view.write(self.client, self.experiment_id, self.info, self.study_id, columns)
            self.columns = columns

    def _measure_parent(self, trials: Sequence["TrialRecord"], tested: "Tested | None") -> None:
        news = list(parent_metrics.progress(trials, self.info.direction, self.steps))
        for first in range(0, len(news), _BATCH_METRICS):
            self.client.log_batch(self.parent_id, metrics=news[first : first + _BATCH_METRICS])
            self.steps = news[min(first + _BATCH_METRICS, len(news)) - 1].step
        if tested is not None:
            self.client.log_batch(self.parent_id, metrics=parent_metrics.on_test(tested))

    def _project_baselines(self) -> None:
        wanted = {**_common(self.info, self.study_id), tags.PARENT: self.parent_id}
        for each in self.info.baselines:
            run = self.baselines.get(each.name)
            if run is None or run.info.status == "RUNNING":
                self.baselines[each.name] = baselines.project(
                    self.client, self.experiment_id, wanted, each, run
                )

    def attach(self, file: Path) -> None:
        """Makes the file an artifact of the parent; one of its name is replaced."""
        self.client.log_artifact(self.parent_id, str(file))

    def end(self, interrupted: bool = False) -> None:
        """Marks the parent's run as finished or interrupted; a later session continues it."""
        self._tag_parent({tags.STATE: "INTERRUPTED" if interrupted else "FINISHED"})
        self.client.set_terminated(self.parent_id, "KILLED" if interrupted else "FINISHED")

    def _tag_parent(self, wanted: Mapping[str, str]) -> None:
        changed = {key: value for key, value in wanted.items() if self.parent_tags.get(key) != value}
        if changed:
            self.client.log_batch(self.parent_id, tags=[RunTag(key, value) for key, value in changed.items()])
            self.parent_tags.update(changed)


def _adopt(client: MlflowClient, run: Run, info: "StudyInfo") -> TrialRun:
    known = TrialRun(run.info.run_id, run.info.status, dict(run.data.tags))
    if known.status == "RUNNING":  # interrupted: what is logged need not be logged again
        history = client.get_metric_history(run.info.run_id, info.objective)
        known.measured = {(metric.step, metric.value) for metric in history}
    return known


def _common(info: "StudyInfo", study_id: str) -> dict[str, str]:
    user = ""
    with suppress(Exception):  # a container's user may have no name
        user = getpass.getuser()
    return {
        tags.STUDY: info.name,
        tags.STUDY_ID: study_id,
        tags.SOURCE: "autoft",
        tags.SOURCE_TYPE: "LOCAL",
        **({tags.USER: user} if user else {}),
    }


def _params(values: Mapping[str, object]) -> list[Param]:
    return [Param(name, tags.clip(str(value))) for name, value in values.items()]


def _tags_of(trial: "TrialRecord") -> dict[str, str]:
    wanted = {
        tags.STATE: trial.state,
        tags.SEED: trial.seed,
        tags.REASON: trial.reason,
        tags.STOP: trial.stop,
        tags.EARLY_STOP: trial.early_stop,
        tags.ORIGIN: trial.origin,
        tags.NODE: trial.node,
        tags.ATTEMPT: trial.attempt,
        tags.MICRO_BATCH: trial.micro_batch,
        tags.PARAMS: json.dumps(dict(trial.params)),
        tags.VALUES: json.dumps(dict(trial.values)),
    }
    return {key: tags.clip(str(value)) for key, value in wanted.items() if value is not None}


def metrics(
    trial: "TrialRecord", measurements: Sequence["Measurement"], model_id: str | None = None
) -> list[Metric]:
    """Every metric at its step. Times come from the record, so that logging one twice makes one entry."""
    began = _milliseconds(trial.started) or 0
    return [
        Metric(name, float(value), began + round(1000 * one.elapsed_s), one.step, model_id=model_id)
        for one in measurements
        for name, value in one.metrics.items()
    ]


def _outcome(trial: "TrialRecord") -> list[Metric]:
    at = _milliseconds(trial.finished) or 0
    outcome: list[Metric] = []
    if trial.duration_s is not None and trial.state in STATUS:
        outcome.append(Metric("duration_s", trial.duration_s, at, 0))
    if trial.state == "COMPLETE" and trial.score is not None:
        best = next((one for one in trial.measurements if one.index == trial.best_index), None)
        outcome.append(Metric(tags.OBJECTIVE_METRIC, float(trial.score or 0.0), at, best.step if best else 0))
    return outcome


def _found(confirmed: "Confirmed") -> str:
    """As JSON; without the single scores, which would not fit in a tag if there were many."""
    told = confirmed.to_dict()
    told["compared"] = [{key: of for key, of in each.items() if key != "scores"} for each in told["compared"]]
    return json.dumps(told)


def _dataset(info: "StudyInfo") -> Dataset:
    data = dict(info.data)
    return Dataset(
        name=str(data.get("name") or data.get("source") or info.name)[-500:],
        digest=str(data.get("digest") or "unknown")[:_DIGEST_CHARS],
        source_type="local",
        source=json.dumps({"uri": str(data.get("source") or "")}),
        profile=json.dumps(data, default=str),
    )


def _milliseconds(when: datetime | None) -> int | None:
    return None if when is None else round(1000 * when.timestamp())
