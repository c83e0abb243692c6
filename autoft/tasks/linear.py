"""Linear models on texts and on frozen states: what the baselines of tasks share."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, make_union

from autoft.data.encoded import Encoded
from autoft.data.targets import Targets
from autoft.tasks.protocol import Baseline, Features, Linear, Model, OnFeatures, Predictions
from autoft.tasks.text import input_columns

STRENGTHS = (1.0, 10.0, 100.0)
"""How closely a linear model follows rows of length 1: C of a logistic regression, 1 / alpha of a ridge."""
CHARACTERS = 2000
"""The first of a text are read: a model does not read all of a long one either."""
UNSEEN = 1e-9
"""The probability of a label that no row has that was fitted on."""


def on_texts(linear: Linear) -> Baseline:
    """A task's linear model on TF-IDF of words, pairs of words and characters; a pair of texts is one."""

    def fit(rows: pa.Table, encoded: Encoded, targets: Targets) -> Iterator[Model]:
        vectorizer = _vectorizer()
        features = vectorizer.fit_transform(_texts(rows))

        def predict(answer: OnFeatures, rows: pa.Table, encoded: Encoded) -> Predictions:
            return answer(vectorizer.transform(_texts(rows)), encoded)

        for answer in linear(features, encoded, targets):
            yield partial(predict, answer)

    return fit


def _vectorizer() -> FeatureUnion:
    return make_union(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\S+"),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True),
    )


def _texts(rows: pa.Table) -> list[str]:
    return [
        "\n".join(text[:CHARACTERS] for text in texts) for texts in zip(*input_columns(rows), strict=True)
    ]


def classifiers(features: Features, labels: np.ndarray) -> Iterator[BaseEstimator]:
    """Logistic regressions of each strength.

    Args:
        features: [n, d].
        labels: [n], of which one is right in each row, or [n, labels], 1 where a row has the label.
    """
    for strength in STRENGTHS:
        if issparse(features) or labels.ndim == 2:
            solver = "liblinear" if issparse(features) else "lbfgs"  # by far the quicker one of each kind
            single = LogisticRegression(C=strength, solver=solver, max_iter=300)
            yield OneVsRestClassifier(single).fit(features, labels)
        else:
            yield LogisticRegression(C=strength, max_iter=300).fit(features, labels)


def probabilities(model: Any, features: Features, labels: int) -> np.ndarray:
    """Of each of so many labels in each row, [n, labels], from a classifier of one label a row."""
    found = np.full((features.shape[0], labels), UNSEEN)
    found[:, model.classes_] = np.maximum(model.predict_proba(features), UNSEEN)
    return found
