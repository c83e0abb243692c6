"""What the fine-tuned models have to beat: simple models, fitted on the training rows once a study.

A task gives a trivial and a classical one. The third is the task's linear model on what the pretrained model
makes of the rows, before any training. As the trials are, the best of several strengths is chosen on the
validation rows.
"""

import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import numpy as np
import pyarrow as pa
from joblib import parallel_config  # type: ignore[import-untyped]
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from autoft.data.encoded import Encoded
from autoft.data.files import read_table
from autoft.data.targets import Targets
from autoft.kernel.config import FineTuneConfig
from autoft.kernel.workbench import Workbench
from autoft.spec.metrics import Metric
from autoft.study.baselines import Baseline
from autoft.tasks import protocol
from autoft.tasks.protocol import Model, OnFeatures, Predictions, Scorable, Task

MOST_TOKENS = 300_000
"""Training rows are drawn until they have so many tokens together: more would take longer than they tell."""
SEED = 0
FROZEN = "frozen"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class FittedBaselines:
    """A study's baselines."""

    scored: tuple[Baseline, ...]
    models: Mapping[str, Model]
    """By name, without those that failed."""
    encode: Callable[[pa.Table], Encoded]
    """Encodes rows as for these models."""

    def answers(self, rows: pa.Table) -> dict[str, Scorable]:
        """What each model predicts for `rows` (columns of rows.arrow) that are not the study's, by name."""
        encoded = self.encode(rows)
        return {name: (model(rows, encoded), encoded.targets) for name, model in self.models.items()}


def fit(workbench: Workbench, config: FineTuneConfig, metric: Metric) -> FittedBaselines:
    """Fits all baselines and scores them. One that fails has the reason instead of scores.

    Args:
        workbench: the study's.
        config: of a trial: its model, and how it encodes rows.
        metric: the study's objective.

    Raises:
        AutoftError: the model or the rows cannot be read.
    """
    inputs, encoded = workbench.study_inputs, workbench.encoded(config)
    task, rows, splits = inputs.task, read_table(inputs.rows), inputs.splits()
    drawn = draw(encoded.lengths, splits["train"])
    train, validation = ((rows.take(of), encoded.take(of)) for of in (drawn, splits["validation"]))
    frozen = on_frozen(task, partial(workbench.frozen_features, config))
    found, models = [], {}
    for name, baseline in {**task.baselines, FROZEN: frozen}.items():
        began_s = time.monotonic()
        unscored = Baseline(name, {}, None, len(drawn), len(splits["train"]), 0.0)
        try:
            models[name], metrics, error = _best(task, baseline, train, validation, inputs.targets, metric)
            scored = replace(unscored, metrics=metrics, error=error)
        except Exception as raised:  # whatever it is, the search has its winner without it
            _LOG.info("the baseline %s failed", name, exc_info=True)
            scored = replace(unscored, failed=f"{type(raised).__name__}: {raised}".splitlines()[0])
        found.append(replace(scored, seconds=time.monotonic() - began_s))
    return FittedBaselines(tuple(found), models, partial(workbench.encode, config))


def draw(lengths: np.ndarray, train: np.ndarray) -> np.ndarray:
    """All rows of `train` if they have at most MOST_TOKENS together, else as many of them as have, at random.

    Args:
        lengths: tokens of each row [n].
        train: the training rows, as indices into all.

    Returns:
        Indices into all rows, in their order.
    """
    order = np.random.default_rng(SEED).permutation(train)
    return np.sort(order[np.cumsum(lengths[order]) <= MOST_TOKENS])


def on_frozen(task: Task, frozen: Callable[[Encoded], np.ndarray]) -> protocol.Baseline:
    """The task's linear model on `frozen` features (`kernel.features`), scaled, and then of length 1 each."""
    features = lru_cache(maxsize=1)(frozen)

    def fit(rows: pa.Table, encoded: Encoded, targets: Targets) -> Iterator[Model]:
        scale = make_pipeline(StandardScaler(), Normalizer())

        def predict(answer: OnFeatures, rows: pa.Table, encoded: Encoded) -> Predictions:
            return answer(scale.transform(features(encoded)), encoded)

        for answer in task.linear(scale.fit_transform(features(encoded)), encoded, targets):
            yield partial(predict, answer)

    return fit


def _best(
    task: Task,
    baseline: protocol.Baseline,
    train: tuple[pa.Table, Encoded],
    validation: tuple[pa.Table, Encoded],
    targets: Targets,
    metric: Metric,
) -> tuple[Model, dict[str, float], float | None]:
    """The best model that the `baseline` gives, its metrics, and the standard error of the objective.

    What the validation rows decide for it, they decide for all rows.
    """
    encoded = validation[1].targets
    sign = -1 if metric.direction == "maximize" else 1
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # a label that no row has, an optimizer that would go on
        stack.enter_context(parallel_config("threading", n_jobs=-1))
        # Threads of BLAS wait busily for each other in such small products: up to forty times the CPU time.
        stack.enter_context(threadpool_limits(1, user_api="blas"))
        models = list(baseline(*train, targets))
        answers = [model(*validation) for model in models]
    predictions = [task.decide(each, (each, encoded), metric.name) for each in answers]
    scored = [task.score(each, encoded, targets) for each in predictions]
    best = min(range(len(scored)), key=lambda each: sign * scored[each][metric.name])
    of_validation = predictions[best], encoded

    def answer(rows: pa.Table, encoded: Encoded) -> Predictions:
        return task.decide(models[best](rows, encoded), of_validation, metric.name)

    return answer, scored[best], task.error(metric.name, *of_validation)
