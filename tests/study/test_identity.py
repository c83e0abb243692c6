"""A study goes on under a later version of autoft: with other defaults, and with more of them."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from autoft.errors import SpecError, StudyError
from autoft.spec.first import require_first_searched
from autoft.spec.space import Choice, Condition, Parameter, Range, Value
from autoft.spec.study import StudySpec, default_seed
from autoft.study.identity import DEFAULTS_ATTR, identity_of, with_stored_defaults
from autoft.study.records import IDENTITY_ATTR
from autoft.study.storage import FORMAT_ATTR, find_existing_study, find_study, open_study
from autoft.study.tuner import Tuner

from .scripted import DEFAULTS, make_spec, measurement

OF_FORMAT_6 = json.loads("""{
    "task": "text-classification",
    "models": {"tiny": {"revision": null, "weights": null, "tokenizer": null}},
    "data digest": "digest",
    "objective": "macro_f1",
    "space": {
        "fixed": {
            "learning_rate": 0.00016, "weight_decay": 0.01, "dropout": 0.1, "unfreeze_depth": "all",
            "batch_size": 16, "batching": "random", "epochs": 12, "warmup_ratio": 0.1,
            "lr_schedule": "cosine", "max_length": 128, "label_smoothing": 0.0, "max_grad_norm": 1.0,
            "model": "tiny"
        },
        "searched": {
            "unfreeze_depth": {"domain": {"values": [0, 1, "all"]}, "conditions": []},
            "learning_rate": {
                "domain": {"low": 1e-05, "high": 0.001, "integer": false, "log": true, "step": null},
                "conditions": []
            },
            "weight_decay": {
                "domain": {"low": 0.0001, "high": 0.3, "integer": false, "log": true, "step": null},
                "conditions": [{"parent": "unfreeze_depth", "values": [0], "negated": true}]
            }
        }
    },
    "search": {
        "seed": 7, "start": "random", "sampler": {"name": "random"}, "pruner": {"name": "none"},
        "evaluations_per_epoch": null
    }
}""")
"""As autoft stored it on 2026-11-27; `lr_schedule: cosine` was written in the space, the rest was not."""

RATE = Parameter("learning_rate", Range(1e-5, 1e-3, integer=False, log=True), by_default=True)
DEPTH = Parameter("unfreeze_depth", Choice((0, 1, "all")), by_default=True)
DECAY = Parameter(
    "weight_decay",
    Range(1e-4, 0.3, integer=False, log=True),
    (Condition("unfreeze_depth", (0,), negated=True),),
)


def request(parameters: tuple[Parameter, ...] = (RATE,), **defaults: Value) -> StudySpec:
    """What autoft makes of a request in a version that has these defaults, some of them recommended."""
    spec = make_spec(parameters=parameters)
    return replace(spec, space=replace(spec.space, defaults={**DEFAULTS, **defaults}))


def fixing(spec: StudySpec, **fixed: Value) -> StudySpec:
    return replace(spec, space=replace(spec.space, fixed={**spec.space.fixed, **fixed}))


def opened(spec: StudySpec, folder: Path) -> tuple[optuna.Study, StudySpec]:
    """As a search opens it."""
    before = find_existing_study(spec, folder)
    spec = with_stored_defaults(spec, before) if before else spec
    return open_study(spec, folder, identity_of(spec, "digest")), spec


def trained(spec: StudySpec, folder: Path) -> Mapping[str, Any]:
    """All values of the next trial, as it is given to a worker."""
    study, spec = opened(spec, folder)
    tuner = Tuner(study, spec, precision="fp32", callbacks=[], folder=folder, max_concurrent=1)
    begun = tuner.next()
    assert begun is not None
    tuner.measured(begun.number, 1, measurement(1, 1, 0.5), "node")
    tuner.completed(begun.number, 1)
    return vars(begun.config)


def old_study(folder: Path, identity: Mapping[str, Any] = OF_FORMAT_6) -> None:
    """A study of format 6, of which nothing has run yet."""
    study = optuna.create_study(
        storage=f"sqlite:///{folder}/study.db", study_name="study", direction="maximize"
    )
    study.set_user_attr("id", "0" * 32)
    study.set_user_attr(FORMAT_ATTR, {"format": 6, "autoft": "0.1.0"})
    study.set_user_attr(IDENTITY_ATTR, dict(identity))


def refused(spec: StudySpec, folder: Path) -> list[str]:
    """What the refusal says of the difference."""
    with pytest.raises(StudyError, match="was made from another request") as told:
        opened(spec, folder)
    return [line.strip() for line in str(told.value).splitlines()[1:-1]]


def test_what_stands_at_its_default_is_left_out_of_the_identity() -> None:
    plain = identity_of(request(), "digest")
    assert plain["space"]["fixed"] == {"model": "tiny"}
    assert plain["search"].keys() == {"seed", "sampler", "pruner", "start"}  # make_spec's start is random
    assert identity_of(request(ema_decay=1.0), "digest") == plain
    assert identity_of(fixing(request(), epochs=DEFAULTS["epochs"]), "digest") == plain
    assert identity_of(fixing(request(), early_stopping=0.0), "digest") == plain
    assert identity_of(fixing(request(), epochs=3), "digest")["space"]["fixed"]["epochs"] == 3


def test_a_hyperparameter_that_is_new_makes_no_study_another_one(folder: Path) -> None:
    opened(request(), folder)
    opened(request(ema_decay=1.0), folder)
    opened(fixing(request(ema_decay=1.0), ema_decay=1.0), folder)
    assert refused(fixing(request(ema_decay=1.0), ema_decay=0.9), folder) == [
        "space.fixed.ema_decay: was 1.0, is now 0.9"
    ]


def test_a_study_keeps_what_was_recommended_when_it_was_made(folder: Path) -> None:
    before = trained(request(epochs=12, batch_size=16), folder)
    after = trained(request(epochs=5, batch_size=32), folder)
    assert (before["epochs"], before["batch_size"]) == (after["epochs"], after["batch_size"]) == (12, 16)
    # Who names the value that is recommended now asks for another study.
    assert refused(fixing(request(epochs=5), epochs=5), folder) == ["space.fixed.epochs: was 12, is now 5"]


def test_a_study_keeps_the_seed_that_it_had_when_none_was_named(folder: Path) -> None:
    def seeded(seed: int) -> StudySpec:
        return replace(request(), search=replace(request().search, seed=seed))

    opened(seeded(0), folder)  # the default of an earlier version
    _, spec = opened(seeded(default_seed("study")), folder)
    assert spec.search.seed == 0
    assert refused(seeded(7), folder) == ["search.seed: was 0, is now 7"]


def test_a_seed_that_was_named_and_is_not_any_more_makes_another_study(folder: Path) -> None:
    unnamed = replace(request(), search=replace(request().search, seed=default_seed("study")))
    opened(replace(unnamed, search=replace(unnamed.search, seed=7)), folder)
    assert refused(unnamed, folder) == [f"search.seed: was 7, is now {default_seed('study')}"]


def test_what_was_fixed_and_is_not_any_more_makes_another_study(folder: Path) -> None:
    opened(fixing(request(epochs=12), epochs=3), folder)
    assert refused(request(epochs=12), folder) == ["space.fixed.epochs: was 3, is now 12"]


def test_what_was_searched_and_is_fixed_now_was_not_fixed_at_its_default(folder: Path) -> None:
    opened(request((DEPTH, RATE), learning_rate=5e-5), folder)
    said = refused(fixing(request((DEPTH,), learning_rate=5e-5), learning_rate=1e-3), folder)
    assert said[0] == "space.fixed.learning_rate: was absent, is now 0.001"
    assert "space.searched.learning_rate.domain.low: was 1e-05, is now absent" in said


def test_a_study_keeps_what_was_searched_by_default_when_it_was_made(folder: Path) -> None:
    opened(request((DEPTH, RATE)), folder)
    wider = replace(RATE, domain=Range(1e-6, 1e-2, integer=False, log=True))
    dropout = Parameter("dropout", Range(0.0, 0.4, integer=False), by_default=True)
    _, later = opened(request((wider, dropout)), folder)
    assert later.space.parameters == (DEPTH, RATE)
    assert refused(request((DEPTH, replace(wider, by_default=False))), folder) == [
        "space.searched.learning_rate.domain.high: was 0.001, is now 0.01",
        "space.searched.learning_rate.domain.low: was 1e-05, is now 1e-06",
    ]


def test_in_one_and_the_same_version_the_request_stays_as_it_is(folder: Path) -> None:
    spec = fixing(request((DEPTH, RATE, DECAY), epochs=12), lr_schedule="cosine")
    study, _ = opened(spec, folder)
    assert with_stored_defaults(spec, study) == spec


def test_a_study_of_format_6_goes_on(folder: Path) -> None:
    old_study(folder)
    # A later version, with a hyperparameter more and other recommendations.
    later = fixing(
        request((DEPTH, RATE, DECAY), learning_rate=5e-5, epochs=5, batch_size=32, ema_decay=1.0),
        lr_schedule="cosine",
    )
    values = trained(later, folder)
    assert (values["epochs"], values["batch_size"], values["lr_schedule"]) == (12, 16, "cosine")
    study = find_study("study", folder)
    assert study.user_attrs[IDENTITY_ATTR] == OF_FORMAT_6
    assert DEFAULTS_ATTR not in study.user_attrs
    assert refused(fixing(later, epochs=5, ema_decay=0.9), folder) == [
        "space.fixed.ema_decay: was 1.0, is now 0.9",
        "space.fixed.epochs: was 12, is now 5",
    ]
    assert refused(request((DEPTH, RATE)), folder) == [
        "space.fixed.weight_decay: was absent, is now 0.01",
        "space.searched.weight_decay.conditions: was "
        '[{"parent": "unfreeze_depth", "values": [0], "negated": true}], is now absent',
        *(
            f"space.searched.weight_decay.domain.{name}: was {value}, is now absent"
            for name, value in (
                ("high", 0.3),
                ("integer", "false"),
                ("log", "true"),
                ("low", 0.0001),
                ("step", "null"),
            )
        ),
    ]


def test_a_study_of_an_older_format_is_refused(folder: Path) -> None:
    old_study(folder)
    find_study("study", folder).set_user_attr(FORMAT_ATTR, {"format": 5, "autoft": "0.0.9"})
    with pytest.raises(StudyError, match=r"made by autoft 0\.0\.9, which stores studies in format 5"):
        find_existing_study(request(), folder)


def test_what_is_tried_first_must_be_in_what_an_existing_study_searches(folder: Path) -> None:
    opened(request(), folder)
    wider = replace(RATE, domain=Range(1e-5, 5e-3, integer=False, log=True))  # as a new study would search
    queued = replace(request((wider,)), first=({"learning_rate": 1e-4}, {"learning_rate": 5e-3}))
    require_first_searched(queued)
    _, spec = opened(request((wider,)), folder)
    with pytest.raises(SpecError) as told:
        require_first_searched(replace(spec, first=queued.first))
    assert str(told.value) == (
        "space: first[1].learning_rate: must be within what is searched (1e-5 to 0.001, log), got 0.005; "
        "widen space.learning_rate"
    )
