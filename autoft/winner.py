"""The winner of a study: from its checkpoint to the model registry."""

import logging
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from autoft.data.overlap import row_digests
from autoft.data.prepare import PreparedData, read_rows
from autoft.data.targets import Targets
from autoft.errors import AutoftError, ModelError, StudyError, TrackingError
from autoft.judge import answers
from autoft.judge.answers import Answers
from autoft.judge.baselines import FittedBaselines, fit
from autoft.judge.replicas import name_of, request_of
from autoft.kernel.boundary.plan import CachePlan
from autoft.kernel.config import FineTuneConfig
from autoft.kernel.pretrained import resolve
from autoft.kernel.study_inputs import StudyInputs
from autoft.kernel.workbench import Workbench, rebuild
from autoft.promotion import Claim, settle
from autoft.spec.study import StudySpec
from autoft.study.budget import unfinished
from autoft.study.comparison import (
    compare,
    nothing_learned,
    refit_standing,
    standing,
    tested_standing,
    winner_of,
    winning_training,
)
from autoft.study.layout import CONFIRM, REFIT
from autoft.study.outstanding import is_confirmed, outstanding
from autoft.study.planned import planned_request, read_plan
from autoft.study.promoted import Promoted, write_promoted
from autoft.study.records import (
    TrialRecord,
    read_cache_plan,
    read_info,
    read_precision,
    read_trial,
    read_trials,
)
from autoft.study.refitted import Refitted, refit_name
from autoft.study.storage import Study, find_study, study_id
from autoft.study.tested import Tested
from autoft.study.trial_config import fine_tune_config
from autoft.tasks.find import find_task
from autoft.tasks.predictions import predictions
from autoft.tasks.protocol import Answered
from autoft.tracking.aliases import Promotion
from autoft.tracking.recorder import Recorder
from autoft.tracking.registration import register_version
from autoft.tracking.registry import Registered, find_version, where_published
from autoft.tracking.retrieval import Best
from autoft.tracking.saving import FineTuned

T = TypeVar("T")
_LOG = logging.getLogger(__name__)
REGISTER_AGAIN_S = 10.0
"""How long to wait before a model is offered again to a tracking server that did not accept it."""
FINISHED = 1e-3
"""How much the answers of a finished model may differ from those before, by share and by size."""
SAME_SCORE = 1e-3
"""How much the score of a model that is trained again may differ; on a CPU it does not differ."""


@dataclass(frozen=True)
class OnTest:
    """What the test rows have said of the winner."""

    tested: Tested
    rows: pa.Table | None = None
    """The test rows, if they are open."""


@dataclass(frozen=True)
class Searched:
    """A study with what is needed to rebuild its trials' models."""

    study: Study
    spec: StudySpec
    prepared: PreparedData
    folder: Path
    trains_on_all: bool = False
    """Whether its trials are trained on the validation rows too (`autoft.refit`)."""

    @property
    def inputs(self) -> StudyInputs:
        """What its trials share, without models."""
        plan = read_cache_plan(self.study) or CachePlan()
        inputs = StudyInputs.of(self.spec, self.prepared)
        return replace(inputs, cache_plan=plan, train_on_all=self.trains_on_all)

    def recorder(self) -> Recorder:
        """Publishes its trials from now on, in a thread of its own."""
        spec, study = self.spec, self.study
        return Recorder(
            spec.tracking.uri,
            spec.tracking.experiment or spec.study,
            study_id(study),
            lambda: read_info(study),
            lambda number: read_trial(study, number),
        )

    def winner(self) -> Best | None:
        """The winner as the study knows it, not registered; None if no trial is COMPLETE."""
        trials, info = read_trials(self.study), read_info(self.study)
        trial = winner_of(trials, info.direction, info.confirmed)
        if trial is None or trial.score is None:
            return None
        stands = standing(info.confirmed, trials, info.direction)
        refitted = refit_standing(info, trials)
        return Best(
            study=self.spec.study,
            params=dict(trial.params),
            metric=self.spec.objective,
            value=stands.score if stands else trial.score,
            trial=trial.number,
            run_id="",
            model_uri=None,
            values=dict(trial.values),
            confirmation=stands.to_dict() if stands else None,
            refit=asdict(refitted) if refitted else None,
            test=stands_on_test.tested.to_dict() if (stands_on_test := self.on_test) else None,
        )

    @property
    def is_confirmed(self) -> bool:
        """See `study.outstanding`."""
        return is_confirmed(self.spec, read_info(self.study), read_trials(self.study))

    def replicas(self, study: Study) -> "Searched":
        """The `study` of replicas of this one's best trials (`judge.replicas`), in its folder."""
        request = request_of(self.spec, len(read_plan(study)))
        return Searched(study, request, self.prepared, self.folder / CONFIRM)

    def refits(self, study: Study) -> "Searched":
        """The `study` in which this one's winner is trained again, in its folder."""
        request = planned_request(self.spec, refit_name(self.spec.study), len(read_plan(study)))
        return Searched(study, request, self.prepared, self.folder / REFIT, trains_on_all=True)

    @property
    def refitted(self) -> Refitted | None:
        """How the winner was trained again; None if it was not."""
        return refit_standing(read_info(self.study), read_trials(self.study))

    def register_winner(
        self,
        best: Best,
        say: Callable[[str], None],
        tries: int,
        test: Callable[[Registered], OnTest | None] | None = None,
    ) -> tuple[Best, Promotion | None, str | None]:
        """Registers the winner; returns it with its model, its promotion, and what was not accepted.

        Args:
            best: the winner.
            say: tells the user what takes long.
            tries: how often the server is asked.
            test: asks the registered version for the test rows; None goes by what they have said before.
        """
        try:
            version = self.version_of_winner(best, say)
            on_test = self.on_test if test is None else test(version)
            promotion = settle(self._claim(version, best, say, on_test), say)
        except TrackingError as error:
            if tries > 1:
                _LOG.warning("the winner's model: %s", error)
                time.sleep(REGISTER_AGAIN_S)
                return self.register_winner(best, say, tries - 1, test)
            return best, None, f"the winner's model: {error}"
        except AutoftError as error:
            return best, None, f"the winner's model: {error}"
        return replace(best, run_id=version.run_id, model_uri=version.model_uri), promotion, None

    def store_promotion(self, promotion: Promotion, model_uri: str) -> None:
        """Stores what the winner's model became: the report reads nothing of MLflow."""
        training = winning_training(read_info(self.study), read_trials(self.study))
        assert training is not None  # its model is registered
        write_promoted(self.study, Promoted(*training, model_uri, promotion.said_of(model_uri)))

    def version_of_winner(self, best: Best, say: Callable[[str], None]) -> Registered:
        """The winner's model in the registry: that of a replica, if a confirmation has chosen it.

        It is the model that was trained again, if one was. Raises as `version_of`.
        """
        owner, trial = self.chosen(best)
        confirmed = read_info(self.study).confirmed if best.confirmation else None
        evidence, refitted = confirmed.said if confirmed else "", self.refitted if best.refit else None
        if refitted is not None and refitted.failed is None:
            name = refit_name(self.spec.study)
            again = self.refits(find_study(name, self.folder / REFIT, self.spec.search.storage))
            return owner.version_of(trial, say, evidence, (again, refitted))
        return owner.version_of(trial, say, evidence)

    def chosen(self, best: Best) -> "tuple[Searched, TrialRecord]":
        """The trial whose score is the winner's: of this study, or a replica of that of the replicas."""
        confirmed = read_info(self.study).confirmed if best.confirmation else None
        if confirmed is None:
            return self, read_trial(self.study, best.trial)
        storage = self.spec.search.storage
        replicas = self.replicas(find_study(name_of(self.spec.study), self.folder / CONFIRM, storage))
        return replicas, read_trial(replicas.study, confirmed.replica)

    def version_of(
        self,
        trial: TrialRecord,
        say: Callable[[str], None],
        evidence: str = "",
        again: "tuple[Searched, Refitted] | None" = None,
    ) -> Registered:
        """The trial's model in the registry, which is registered only if it is not there.

        The version's description ends with the `evidence`, or else with the default's score.

        Args:
            trial: of this study.
            say: tells the user what takes long.
            evidence: in sentences.
            again: the study in which the trial was trained again, and how: then that is the model.

        Raises:
            TrackingError: the server does not accept it.
            AutoftError: there is no model to register.
        """
        spec = self.spec
        name, place = spec.register.name, where_published(self.study, spec.tracking)
        version = find_version(*place, spec.study, trial.number, name, refitted=again is not None)
        if version is not None:
            return version
        say(f"registering the model of trial {trial.number} of {self.study.study_name} as {name}")
        tuned = self._refitted(trial, *again, say) if again else self.fine_tuned(trial, say)
        info = read_info(self.study)
        comparison = compare(trial, read_trials(self.study))
        beside = evidence or (comparison.fact if comparison else "")
        return register_version(*place, info, trial, tuned, name, beside)

    def _claim(
        self,
        version: Registered,
        best: Best,
        say: Callable[[str], None],
        on_test: OnTest | None,
    ) -> Claim:
        """It is compared on the test rows if they are open, else on the validation rows."""
        spec, before, (owner, chosen) = self.spec, None, self.chosen(best)
        tested, rows = (None, None) if on_test is None else (on_test.tested, on_test.rows)
        if best.refit and best.refit["failed"] is None:
            before = partial(owner.fine_tuned, chosen, say)
        return Claim(
            uri=spec.tracking.uri,
            version=version,
            study=spec.study,
            rule=spec.register.promote,
            metric=spec.objective,
            targets=self.prepared.targets,
            rows=_of_split(read_rows(self.prepared.rows_path), "validation") if rows is None else rows,
            split="validation" if rows is None else "test",
            tested=tested,
            untested=tested is None and self.prepared.size("test") > 0,
            objection=tested.objection if tested else nothing_learned(chosen, read_info(self.study)),
            unfinished=unfinished(self.study, spec.budget) or self.outstanding,
            confirmed=self.is_confirmed,
            before=before,
        )

    @property
    def on_test(self) -> "OnTest | None":
        """What the test rows have said of the winner; None if they were not opened for it."""
        stands = tested_standing(read_info(self.study), read_trials(self.study))
        return None if stands is None else OnTest(stands)

    @property
    def outstanding(self) -> str | None:
        """See `study.outstanding`."""
        return outstanding(self.spec, read_info(self.study), read_trials(self.study))

    def fine_tuned(self, trial: TrialRecord, say: Callable[[str], None]) -> FineTuned:
        """The trial's model; it is trained again if the checkpoint cannot be used."""
        return self._or_again(self.rebuilt, trial, say)

    def _refitted(
        self, trial: TrialRecord, again: "Searched", refitted: Refitted, say: Callable[[str], None]
    ) -> FineTuned:
        """The model of a trial of this study that was trained again on the validation rows too.

        What is learned from these rows, such as a threshold, is learned as the trial itself answers to them.
        """
        rebuilt = partial(again.rebuilt, validation=partial(self.answered, trial, say))
        tuned = again._or_again(rebuilt, read_trial(again.study, refitted.number), say)
        return replace(tuned, refitted=refitted.said)

    def answered(self, trial: TrialRecord, say: Callable[[str], None]) -> Answered:
        """What the trial's model answers to the validation rows; trained again like `fine_tuned`."""
        return self._or_again(self._answered, trial, say)

    def _answered(self, trial: TrialRecord) -> Answered:
        """The same; raises ModelError if the checkpoint cannot be used."""
        rows, _, _, answered = self._loaded(trial)
        return answered(_of_split(rows, "validation"), self.prepared.targets)

    def keep_answers(self) -> None:
        """Keeps what the model with the winner's score answers to the validation rows, for the report.

        Raises ModelError if its checkpoint cannot be used: for that it is not trained again.
        """
        best = self.winner()
        if best is None:
            return
        owner, trial = self.chosen(best)
        path = answers.path_of(owner.folder, "trial" if owner is self else "replica", trial.number)
        kept_answers(path, lambda: owner._answered(trial))

    def _or_again(
        self, made: Callable[[TrialRecord], T], trial: TrialRecord, say: Callable[[str], None]
    ) -> T:
        try:
            return made(trial)
        except ModelError as error:  # the checkpoint is gone, damaged or of another moment
            say(f"trial {trial.number} is trained once more, because its model is not there: {error}")
            self._make_again(trial)
            return made(trial)

    def rebuilt(self, trial: TrialRecord, validation: Callable[[], Answered] | None = None) -> FineTuned:
        """A trial's model from base weights and checkpoint, with an example row.

        It is finished by the answers to the `validation` rows; None means its own.

        Raises ModelError if the checkpoint is gone, damaged or of another moment than the trial's best, and
        StudyError if the model cannot be made to answer alone.
        """
        config, prepared, task = self._config_of(trial), self.prepared, find_task(self.spec.task)
        rows, model, processor, answered = self._loaded(trial)
        example = rows.slice(0, 1)
        before, _ = answered(example, prepared.targets)
        own = partial(answered, _of_split(rows, "validation"), prepared.targets)
        task.finish(model, prepared.targets, validation or own, self.spec.objective)
        targets = task.finished(prepared.targets, model)
        after, _ = answered(example, targets)
        for name, found in before.items():
            if not np.allclose(after[name], found, rtol=FINISHED, atol=FINISHED):
                raise StudyError(f"{config.model}: finished, the model does not answer as it was trained")
        return FineTuned(
            task=task,
            model=model,
            processor=processor,
            targets=targets,
            reference=self.spec.model(config.model).name,
            values=config.task_values,
            example=example,
            trained_rows=row_digests(rows if self.trains_on_all else _of_split(rows, "train")),
        )

    def _loaded(
        self, trial: TrialRecord
    ) -> tuple[pa.Table, Any, Any, Callable[[pa.Table, Targets], Answered]]:
        """All rows, a trial's model and processor, and what gives its answers to some of the rows."""
        config, prepared, task = self._config_of(trial), self.prepared, find_task(self.spec.task)
        ref, rows = self.spec.model(config.model), read_rows(prepared.rows_path)
        checkpoint = self._checkpoint_of(trial)
        model, processor = rebuild(
            resolve(ref), config, prepared.targets, checkpoint, task, trial.best_index, rows
        )

        def answered(rows: pa.Table, targets: Targets) -> Answered:
            return predictions(task, model, processor, rows, targets, config.task_values)

        return rows, model, processor, answered

    def _make_again(self, trial: TrialRecord) -> None:
        """Trains the trial once more, up to its best measurement, with the same parameters and seed.

        Raises:
            StudyError: the new model does not score as the trial did, which can happen on a GPU.
        """
        spec = self.spec
        # On a GPU its last bits may differ, and no early stop may come before that measurement.
        config = replace(self._config_of(trial), early_stopping=0.0)
        training = self._workbench().fine_tune(config, self._checkpoint_of(trial))
        made = next(each for each in training if each is not None and each.index == trial.best_index)
        training.close()
        score = made.metrics[spec.objective]
        if not math.isclose(score, trial.score or math.nan, abs_tol=SAME_SCORE):
            raise StudyError(
                f"the checkpoint of trial {trial.number} is gone, and trained again with the same parameters "
                f"and seed it has {spec.objective} {score:.4f} instead of {trial.score:.4f}, so it is not "
                "registered"
            )

    def fit_baselines(self) -> FittedBaselines:
        """The study's baselines, encoded as for its first trial. Errors as `judge.baselines.fit`."""
        # No trial runs any more, so they may use all cores.
        workbench, config = self._workbench(os.cpu_count()), self._config_of(read_trial(self.study, 0))
        return fit(workbench, config, self.spec.metric)

    def _workbench(self, cpus: int | None = None) -> Workbench:
        inputs = replace(self.inputs, models=tuple(resolve(ref) for ref in self.spec.models))
        return Workbench(inputs if cpus is None else replace(inputs, cpus=cpus))

    def _config_of(self, trial: TrialRecord) -> FineTuneConfig:
        precision, planned = read_precision(self.study) or "fp32", read_plan(self.study)
        ends_at = planned[trial.number].ends_at if planned else 0.0
        return fine_tune_config(self.spec, trial.values, trial.seed or 0, precision, ends_at)

    def _checkpoint_of(self, trial: TrialRecord) -> Path:
        return self.folder / (trial.checkpoint or "")


def kept_answers(path: Path, ask: Callable[[], Answered]) -> Answers:
    """What the file at `path` holds; if it is not there, what `ask` gives, which is written."""
    known = answers.load(path)
    if known is not None:
        return known
    predictions, encoded = ask()
    found = Answers(predictions, encoded.targets)
    answers.save(path, found)
    return found


def _of_split(rows: pa.Table, split: str) -> pa.Table:
    return rows.filter(pc.equal(rows["split"], split))
