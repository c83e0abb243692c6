"""What the study knows about a trial, as plain data: the only way in which other layers read trials."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, cast

import optuna
from optuna.trial import FrozenTrial, TrialState

from autoft.data.finding import Finding
from autoft.errors import StudyError
from autoft.kernel.boundary.plan import CachePlan
from autoft.kernel.measurement import Measurement
from autoft.spec.space import Value
from autoft.study.baselines import Baseline, read_baselines
from autoft.study.confirmed import Confirmed, read_confirmed
from autoft.study.layout import CHECKPOINTS
from autoft.study.origin import ORIGIN_ATTR
from autoft.study.refitted import Refitted, read_refitted
from autoft.study.stop import Stop
from autoft.study.tested import Tested, read_tested

State = Literal["RUNNING", "COMPLETE", "PRUNED", "FAIL"]
Precision = Literal["fp32", "bf16"]

TRIAL_ATTR = "trial"
"""A trial's attribute, written when it is handed to a worker: attempt, seed, values, began."""
MEASUREMENT_ATTR = "measurement:{index}"
"""A trial's attributes, one a measurement, written whole."""
CRASHES_ATTR = "crashes"
"""A trial's attribute about its worker processes that died: how many in a row (count), its measurements so
far (measured), the most rows at a time since memory was short (micro_batch), wasted GPU seconds."""
END_ATTR = "end"
"""A trial's attribute, written before its state is set: state, reason, traceback, node."""
IDENTITY_ATTR = "identity"
"""The study's attribute that says which request made it; see `identity.identity_of`."""
INFO_ATTR = "info"
"""The study's attribute that holds its `StudyInfo`."""
PRECISION_ATTR = "precision"
"""The study's attribute: in which precision its trials compute."""
CACHE_PLAN_ATTR = "cache_plan"
"""The study's attribute that holds its `CachePlan`."""


@dataclass(frozen=True)
class TrialRecord:
    """One trial, as it is stored in the study."""

    number: int
    """Counted from 0, without gaps."""
    state: State
    params: Mapping[str, Value]
    """The searched parameters that count in this trial."""
    values: Mapping[str, Value]
    """Every hyperparameter's value: searched, fixed or default."""
    seed: int | None
    """None between its creation and the first attempt."""
    measurements: tuple[Measurement, ...]
    """Sorted by index. Their `checkpoint` is relative to the study's folder."""
    score: float | None
    """The objective at the best measurement so far; None without a finite one."""
    best_index: int | None
    """The index of that measurement."""
    reason: str | None
    """Why it failed, in one line."""
    stop: Stop | None
    """Why the pruner stopped it; None if it did not."""
    origin: str | None
    """Where its parameters come from: `default`, `first`, `shallow` or `learned`; None: the sampler."""
    traceback: str | None
    """The traceback of the failure in the worker."""
    node: str | None
    """The host that ran it."""
    started: datetime | None
    """When the last attempt started, with a time zone."""
    finished: datetime | None
    duration_s: float | None
    """The time from `started` to `finished`; None while it runs."""
    attempt: int
    """How often it was begun; more than once if it was interrupted or its worker died."""
    micro_batch: int | None
    """That of the last `Measurement`."""
    checkpoint: str | None
    """Where the best measurement's checkpoint was written, relative to the study's folder.

    The file is kept for the best trials (`checkpoints.keep`) and for running ones.
    """

    @property
    def early_stop(self) -> str | None:
        """Where early stopping ended it, such as `early stop at epoch 3.5 of 12`; None if it did not."""
        last = self.measurements[-1] if self.measurements else None
        if self.state != "COMPLETE" or last is None or not last.last or last.fraction >= 1:
            return None
        return f"early stop at epoch {last.epoch:.1f} of {self.values['epochs']}"


@dataclass(frozen=True)
class StudyInfo:
    """What a study is about, stored in the study itself, so that its storage alone is enough to read it."""

    name: str
    task: str
    models: tuple[str, ...]
    """Their names in space.yaml."""
    objective: str
    direction: Literal["maximize", "minimize"]
    fixed: Mapping[str, Value]
    """Hyperparameters that are not searched: fixed by the user, or by default."""
    data: Mapping[str, Any]
    """What the caller knows about the rows, such as source, digest and counts; JSON values only."""
    versions: Mapping[str, str]
    """Versions of the packages that the last session ran with."""
    text: str
    """The resolved space.yaml with environment variables unexpanded."""
    architectures: Mapping[str, str] = field(default_factory=dict)
    """The architecture of each model by name (`ModelSummary.build`)."""
    findings: tuple[Finding, ...] = ()
    """What was found in the rows before the first trial."""
    confirms: str | None = None
    """The study whose best configurations this one trains again on fresh seeds; None: it is a search."""
    confirmed: Confirmed | None = None
    """What the last confirmation of this study has found, which is stored by itself."""
    baselines: tuple[Baseline, ...] = ()
    """What simple models score, which is stored by itself; none before they are fitted."""
    refitted: Refitted | None = None
    """How the last winner of this study was trained again, which is stored by itself."""
    tested: Tested | None = None
    """What the test rows have said of the last winner, which is stored by itself."""


def write_info(study: optuna.Study, info: StudyInfo) -> None:
    """Stores `info` in the study; a later session's replaces it."""
    here = replace(info, confirmed=None, baselines=(), refitted=None, tested=None)
    study.set_user_attr(INFO_ATTR, asdict(here))


def read_info(study: optuna.Study) -> StudyInfo:
    """What the study is about.

    Raises:
        StudyError: the study was not made by autoft.
    """
    stored = study.user_attrs.get(INFO_ATTR)
    if stored is None:
        raise StudyError(
            f"study {study.study_name!r}: the storage has no description of it, so autoft did not make it"
        )
    apart = {
        "confirmed": read_confirmed(study),
        "baselines": read_baselines(study),
        "refitted": read_refitted(study),
        "tested": read_tested(study),
    }
    findings = tuple(Finding.from_json(each) for each in stored.get("findings", ()))
    return StudyInfo(**{**stored, "models": tuple(stored["models"]), "findings": findings, **apart})


def write_precision(study: optuna.Study, precision: Precision) -> None:
    """Stores the precision in which the study's trials compute; it does not change later."""
    study.set_user_attr(PRECISION_ATTR, precision)


def read_precision(study: optuna.Study) -> Precision | None:
    """The precision in which the study's trials compute; None if undecided."""
    stored: Precision | None = study.user_attrs.get(PRECISION_ATTR)
    return stored


def write_cache_plan(study: optuna.Study, plan: CachePlan) -> None:
    """Stores what the study keeps at its boundaries; it does not change later."""
    study.set_user_attr(CACHE_PLAN_ATTR, plan.to_json())


def read_cache_plan(study: optuna.Study) -> CachePlan | None:
    """What the study keeps at its boundaries, which affects its results' last bits; None if undecided."""
    stored = study.user_attrs.get(CACHE_PLAN_ATTR)
    if stored is not None:
        return CachePlan.from_json(stored)
    if read_trials(study):
        return CachePlan(notes=("the study began without a cache, so it continues without one",))
    return None


def read_trials(study: optuna.Study) -> list[TrialRecord]:
    """All trials that were started, by number."""
    objective, maximize = _objective(study)
    return [
        record(trial, objective, maximize)
        for trial in study.get_trials(deepcopy=False)
        if trial.state != TrialState.WAITING
    ]


def read_trial(study: optuna.Study, number: int) -> TrialRecord:
    """One trial; costs the same however many there are.

    Raises:
        StudyError: no such trial.
    """
    trial = _find_trial(study, number)
    if trial is None or trial.state == TrialState.WAITING:
        started = len(read_trials(study))
        raise StudyError(f"study {study.study_name!r} has trials 0 to {started - 1}, got {number}")
    return record(trial, *_objective(study))


def record(trial: FrozenTrial, objective: str, maximize: bool) -> TrialRecord:
    """The record of one Optuna trial."""
    begun: dict[str, Any] = trial.user_attrs.get(TRIAL_ATTR, {})
    end: dict[str, Any] = trial.user_attrs.get(END_ATTR, {})
    notes = measurement_notes(trial)
    measurements = tuple(_measurement(note) for note in notes)
    scores = {m.index: m.metrics[objective] for m in measurements if _finite(m.metrics.get(objective))}
    best = max(
        scores, key=lambda index: ((scores[index] if maximize else -scores[index]), -index), default=None
    )
    started = datetime.fromisoformat(begun["began"]) if "began" in begun else _aware(trial.datetime_start)
    finished = _aware(trial.datetime_complete)
    return TrialRecord(
        number=trial.number,
        state=_state(trial),
        params=dict(trial.params),
        values=begun.get("values", dict(trial.params)),
        seed=begun.get("seed"),
        measurements=measurements,
        score=None if best is None else scores[best],
        best_index=best,
        reason=end.get("reason"),
        origin=trial.user_attrs.get(ORIGIN_ATTR),
        stop=_stop(trial, notes),
        traceback=end.get("traceback"),
        node=end.get("node") or (notes[-1]["node"] if notes else None),
        started=started,
        finished=finished,
        duration_s=(finished - started).total_seconds() if started and finished else None,
        attempt=int(begun.get("attempt", 0)),
        micro_batch=measurements[-1].micro_batch if measurements else None,
        checkpoint=next((note["checkpoint"] for note in reversed(notes) if note["checkpoint"]), None),
    )


def _stop(trial: FrozenTrial, notes: list[dict[str, Any]]) -> Stop | None:
    """The stop that is noted with the last measurement, unless that measurement failed the trial."""
    stopped = notes and notes[-1]["stop"] and trial.state != TrialState.FAIL
    return Stop(**notes[-1]["stop"]) if stopped else None


def measurement_note(
    attempt: int, measurement: Measurement, node: str, *, stop: Stop | None, gpus: float
) -> dict[str, Any]:
    """What is stored of one measurement, and of the decision on it.

    `stop` says why the pruner ends the trial by it, if it does; `gpus` is how many GPUs the trial holds. The
    checkpoint may be an earlier attempt's, if that attempt's measurement had not reached the driver.
    """
    note = asdict(measurement)
    note["metrics"] = {name: float(value) for name, value in measurement.metrics.items()}
    note["checkpoint"] = _relative(measurement.checkpoint)
    return {**note, "attempt": attempt, "node": node, "stop": stop and asdict(stop), "gpus": gpus}


def _relative(checkpoint: Path | None) -> str | None:
    """A worker's checkpoint as the study knows it: the worker's folder may be another node's."""
    return None if checkpoint is None else f"{CHECKPOINTS}/{checkpoint.name}"


def measurement_notes(trial: FrozenTrial) -> list[dict[str, Any]]:
    """All measurements of a trial, by index.

    An attempt that resumes an earlier one adds to its measurements; one that has to start over overwrites
    them.
    """
    prefix = MEASUREMENT_ATTR.format(index="")
    stored = [value for key, value in trial.user_attrs.items() if key.startswith(prefix)]
    # An earlier version stored no `last`: its trials ended when their budget was spent.
    notes = [{"last": note["fraction"] >= 1, **note} for note in stored]
    return sorted(notes, key=lambda note: int(note["index"]))


_OF_A_NOTE = ("attempt", "node", "stop", "gpus", "checkpoint")
"""What a note holds besides the measurement."""


def _measurement(note: Mapping[str, Any]) -> Measurement:
    fields = {name: value for name, value in note.items() if name not in _OF_A_NOTE}
    return Measurement(**fields, checkpoint=Path(note["checkpoint"]) if note["checkpoint"] else None)


def _objective(study: optuna.Study) -> tuple[str, bool]:
    """The objective's name and whether more of it is better."""
    identity: dict[str, Any] = study.user_attrs[IDENTITY_ATTR]
    return str(identity["objective"]), study.direction == optuna.study.StudyDirection.MAXIMIZE


def _find_trial(study: optuna.Study, number: int) -> FrozenTrial | None:
    """Optuna's public `get_trials` reads them all."""
    storage = study._storage
    try:
        return storage.get_trial(storage.get_trial_id_from_study_id_trial_number(study._study_id, number))
    except KeyError:
        return None


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _aware(moment: datetime | None) -> datetime | None:
    """Optuna stores local time without a zone."""
    return None if moment is None else moment.astimezone()


def _state(trial: FrozenTrial) -> State:
    if trial.state == TrialState.WAITING:
        raise ValueError(f"trial {trial.number} has not started")
    return cast(State, trial.state.name)
