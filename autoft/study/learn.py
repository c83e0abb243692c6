"""What a new study learns from earlier ones: reads them, refuses some, and measures how alike they are."""

import json
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import optuna
import pyarrow as pa
import pyarrow.compute as pc
from optuna.trial import FrozenTrial, TrialState

from autoft.data.overlap import leaked
from autoft.data.prepare import ROWS_FILE, Rows, read_rows
from autoft.data.rows import listed
from autoft.data.targets import Targets
from autoft.errors import AutoftError, DataError, StudyError
from autoft.kernel.model_summary import ModelSummary
from autoft.spec.hyperparameters import ALL
from autoft.spec.recommended import DEPTH
from autoft.spec.space import Choice, Range, SearchSpace, Value
from autoft.spec.space_section import MODEL
from autoft.spec.study import StudySpec
from autoft.spec.tasks import METRICS
from autoft.spec.wording import got, nearest
from autoft.study.curves import Curves, last_step
from autoft.study.layout import DATA, DATABASE, study_folder
from autoft.study.lessons import EarlierTrial, Lesson, read_lessons
from autoft.study.likeness import Likeness, Side, likeness
from autoft.study.records import IDENTITY_ATTR, INFO_ATTR, TRIAL_ATTR
from autoft.study.storage import (
    MissingStudyError,
    clear_storage_errors,
    find_existing_study,
    find_study,
    study_id,
)

KEPT = 50
"""Trials of one earlier study that a snapshot holds."""
_BLOCKS = re.compile(r" of (\d+) blocks$")
"""In `ModelSummary.build`."""


def lessons_of(spec: StudySpec, rows: Rows, models: Sequence[ModelSummary]) -> tuple[Lesson, ...]:
    """What the study `spec.study` has learned from earlier ones, or would learn if it were created now.

    An existing study keeps what it has learned, whatever has happened to the earlier ones since.

    Args:
        spec: the request, fitted to its models.
        rows: of all splits, the test split included.
        models: of the request.

    Raises:
        StudyError: an earlier study does not exist, is of another task or objective, its rows are gone, or
            rows that it trained or validated on are among the test rows. All problems together.
    """
    if not spec.search.learn_from:
        return ()
    study = find_existing_study(spec, study_folder(spec.study))
    return read_lessons(study) if study else _learn(spec, rows, models)


def _learn(spec: StudySpec, rows: Rows, models: Sequence[ModelSummary]) -> tuple[Lesson, ...]:
    architectures = {facts.name: facts.build for facts in models}
    known = {
        ref.name: {"weights": ref.weights, "architecture": architectures.get(ref.name)} for ref in spec.models
    }
    new = Side(known, _labels(rows.targets), rows.tables["train"])
    lessons: list[Lesson] = []
    problems: list[str] = []
    for name in spec.search.learn_from:
        try:
            with clear_storage_errors(name):
                lessons.append(_lesson(spec, rows, new, name))
        except AutoftError as error:
            problems.append(f"study {spec.study!r} cannot learn from {name!r}: {error}")
    if problems:
        raise StudyError("\n".join(problems))
    return tuple(sorted(lessons, key=lambda lesson: -lesson.likeness.value))


def _lesson(spec: StudySpec, rows: Rows, new: Side, name: str) -> Lesson:
    study = _find(name, spec.search.storage)
    identity: dict[str, Any] = study.user_attrs[IDENTITY_ATTR]
    for what, asked in (("task", spec.task), ("objective", spec.objective)):
        if identity[what] != asked:
            raise StudyError(
                f"its {what} is {identity[what]}, this one's is {asked}, so their scores do not compare; "
                "remove it from search.learn_from"
            )
    table = _rows_of(name, identity["data digest"])
    _refuse_leaks(rows, table)
    earlier = Side(
        _models_of(study),
        _labels(json.loads(table.schema.metadata[b"targets"])),
        table.filter(pc.equal(table.column("split"), "train")),
    )
    return lesson_of(study, spec.space, likeness(new, earlier), _blocks(new), _blocks(earlier))


def _blocks(side: Side) -> dict[Value, int]:
    """How many blocks each model has, by its name; those of which it is known."""
    found = {name: _BLOCKS.search(facts["architecture"] or "") for name, facts in side.models.items()}
    return {name: int(match[1]) for name, match in found.items() if match}


def _find(name: str, storage: str | None) -> optuna.Study:
    """Finds the earlier study in the database in its folder, or in the one that stores this study."""
    folder = study_folder(name)
    try:
        return find_study(name, folder)
    except MissingStudyError:
        if storage is not None:
            try:
                return find_study(name, folder, storage)
            except MissingStudyError:
                pass
    others = [each.parent.name for each in folder.parent.glob(f"*/{DATABASE}")]
    meant = nearest(name, others)
    hint = f"did you mean {meant!r}?" if meant else "check the name"
    where = folder if storage is None else f"{folder} or in search.storage"
    raise MissingStudyError(f"there is none of this name in {where}; {hint}")


def _rows_of(name: str, digest: str) -> pa.Table:
    """Training and validation rows of an earlier study."""
    path = study_folder(name) / DATA / ROWS_FILE
    way_out = "restore it, or remove the study from search.learn_from"
    unknown = "so it is unknown whether it has seen this study's test rows"
    try:
        table = read_rows(path)
    except DataError:
        gone = "is gone" if not path.exists() else "is damaged"
        raise StudyError(f"{path}, which holds its rows, {gone}, {unknown}; {way_out}") from None
    if (table.schema.metadata or {}).get(b"digest", b"").decode() != digest:
        raise StudyError(f"{path} holds other rows than it was made with, {unknown}; {way_out}")
    return table


def _refuse_leaks(rows: Rows, earlier: pa.Table) -> None:
    """Raises StudyError if the earlier study has seen test rows: what it learned from them would leak."""
    test = rows.tables.get("test")
    if test is None:
        return
    own = [rows.tables["train"], rows.tables["validation"]]
    found = leaked(test, own, earlier)
    if found:
        examples = dict.fromkeys(got(inputs[0] if len(inputs) == 1 else inputs) for inputs in found)
        raise StudyError(
            f"{len(found):,} of this study's {len(test):,} test rows were training or validation rows there: "
            f"{listed(list(examples))}. A test must be of rows that nothing was chosen on: remove the study "
            "from search.learn_from, or give a test split of rows that it has not seen"
        )


def _models_of(study: optuna.Study) -> Mapping[str, Mapping[str, str | None]]:
    identity: dict[str, Any] = study.user_attrs[IDENTITY_ATTR]
    architectures = study.user_attrs.get(INFO_ATTR, {}).get("architectures", {})
    return {
        name: {"weights": facts["weights"], "architecture": architectures.get(name)}
        for name, facts in identity["models"].items()
    }


def lesson_of(
    study: optuna.Study,
    space: SearchSpace,
    alike: Likeness,
    blocks: Mapping[Value, int] = MappingProxyType({}),
    earlier_blocks: Mapping[Value, int] = MappingProxyType({}),
) -> Lesson:
    """What can be learned from an earlier study's trials in `space`.

    Trials that failed, did not fit in memory or were never measured are left out. So are those that trained
    some of their model's blocks, where the model that they would have here has another number of them.

    Args:
        study: the earlier one.
        space: of the new study.
        alike: the likeness of both.
        blocks: of the new study's models, by name; those of which it is known.
        earlier_blocks: of the earlier study's.
    """
    identity: dict[str, Any] = study.user_attrs[IDENTITY_ATTR]
    sign = 1.0 if METRICS[identity["objective"]].direction == "maximize" else -1.0
    trials = [trial for trial in study.get_trials(deepcopy=False) if _counts(trial)]
    # A complete trial was measured at the last report step, unless early stopping ended it; then its value
    # stands at all later ones, and those after all measurements say nothing new.
    curves = Curves(max(map(last_step, trials), default=1) or 1, maximize=sign > 0)
    ends = curves.at_full_budget(trials)
    finished = [trial.number for trial in trials if trial.state == TrialState.COMPLETE]
    complete = np.array([ends[number] for number in finished if number in ends])
    usable: list[EarlierTrial] = []
    for trial in trials:
        if trial.number not in ends or not len(complete):
            continue
        values = trial.user_attrs[TRIAL_ATTR]["values"]
        params = inside(space, values)
        if params is not None and values.get(DEPTH) not in (0, ALL):
            now, then = blocks.get(space.resolve(params)[MODEL]), earlier_blocks.get(values[MODEL])
            params = params if now is None or then is None or now == then else None
        if params is not None:
            end, done = ends[trial.number], trial.state == TrialState.COMPLETE
            usable.append(EarlierTrial(params, curves.value(end), quantile(end, complete), done))
    usable.sort(key=lambda each: -sign * each.score)
    return Lesson(
        study=study.study_name,
        id=study_id(study),
        likeness=alike,
        middle=float(sign * np.median(complete)) if len(complete) else 0.0,
        trials=tuple(_kept(usable)),
        outside=len(ends) - len(usable) if len(complete) else 0,
        beyond=max(0, len(usable) - KEPT),
    )


def _kept(trials: Sequence[EarlierTrial]) -> list[EarlierTrial]:
    """Up to KEPT of the trials, which come best first: the best ones, and others spread over the rest."""
    best, rest = list(trials[: KEPT // 2]), trials[KEPT // 2 :]
    places = np.linspace(0, len(rest) - 1, min(len(rest), KEPT - len(best))).round().astype(int)
    return best + [rest[place] for place in places]


def _counts(trial: FrozenTrial) -> bool:
    broken = any(value > 0 for value in trial.constraints.values())
    return trial.state not in (TrialState.FAIL, TrialState.WAITING) and not broken


def quantile(value: float, finished: np.ndarray) -> float:
    """The share of the `finished` values that are below `value`; equals count half.

    >>> quantile(0.8, np.array([0.5, 0.7, 0.8, 0.9]))
    0.625
    """
    below, up_to = int((finished < value).sum()), int((finished <= value).sum())
    return (below + up_to) / (2 * len(finished))


def inside(space: SearchSpace, values: Mapping[str, Value]) -> dict[str, Value] | None:
    """A trial's values of the parameters that `space` searches and that count; None if one lies outside.

    What the space fixes may have had another value there, except for the depth: which learning rate and which
    weight decay are good depends on what is trained.
    """
    params: dict[str, Value] = {}
    searched = {parameter.name for parameter in space.parameters}
    if DEPTH not in searched and values.get(DEPTH) != space.resolve({}).get(DEPTH):
        return None
    known = {**space.defaults, **values}  # a trial of an earlier version has no newer hyperparameters
    for parameter in space.parameters:
        if not space.active(parameter, params):
            continue
        value = known.get(parameter.name)
        if value is None or not parameter.domain.contains(value):
            return None
        params[parameter.name] = _typed(parameter.domain, value)
    return params


def _typed(domain: Choice | Range, value: Value) -> Value:
    if isinstance(domain, Choice):
        return domain.values[domain.values.index(value)]
    return int(value) if domain.integer else float(value)


def _labels(targets: Targets) -> Sequence[str]:
    """By what two targets are compared: their labels; of a number its column's name."""
    labels: Sequence[str] = targets.get("labels", [targets["name"]] if "name" in targets else ())
    return labels
