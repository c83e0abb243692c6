"""What makes a study the same study, and what differs if it is another one.

What a request leaves out of its space stays as it was when the study was created: a later version may
recommend other values, search other ranges by default or have more hyperparameters.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields, replace
from typing import Any

import optuna

from autoft.errors import StudyError
from autoft.spec.space import Choice, Condition, Parameter, Range, SearchSpace, Value
from autoft.spec.study import SearchMethod, StudySpec, default_seed
from autoft.study.records import IDENTITY_ATTR

DEFAULTS_ATTR = "defaults"
"""The study's attribute for what its request left out: default `values` of all hyperparameters, and the names
of those that are `searched` by default, whose domains are in its identity."""
_OPTIONAL = ("start", "evaluations_per_epoch", "learn_from")
"""Settings of the search that are left out of an identity if they have their default."""


def identity_of(spec: StudySpec, data_digest: str) -> dict[str, Any]:
    """What makes a study the same study: when one of these changes, its trials no longer compare.

    What has its default is left out, so that a setting that a later version adds does not change the
    identity.

    Args:
        spec: the request, fitted to its models; for an existing study from `with_stored_defaults`.
        data_digest: digest of the rows of all splits.
    """
    search, space = spec.search, spec.space
    asked = {name: getattr(search, name) for name in _OPTIONAL}
    identity = {
        "task": spec.task,
        "models": {
            model.name: {"revision": model.revision, "weights": model.weights, "tokenizer": model.tokenizer}
            for model in spec.models
        },
        "data digest": data_digest,
        "objective": spec.objective,
        "space": {
            "fixed": {
                name: value
                for name, value in space.fixed.items()
                if name not in space.defaults or value != space.defaults[name]
            },
            "searched": {
                parameter.name: {
                    "domain": asdict(parameter.domain),
                    "conditions": [asdict(condition) for condition in parameter.conditions],
                }
                for parameter in space.parameters
            },
        },
        "search": {
            "seed": search.seed,
            "sampler": {"name": search.sampler, **search.sampler_options},
            "pruner": {"name": search.pruner, **search.pruner_options},
            **{name: value for name, value in asked.items() if value != getattr(SearchMethod(), name)},
        },
    }
    as_stored: dict[str, Any] = json.loads(json.dumps(identity))
    return as_stored


def write_defaults(study: optuna.Study, space: SearchSpace) -> None:
    """Stores the defaults of a new study, for what its request leaves out."""
    searched = [parameter.name for parameter in space.parameters if parameter.by_default]
    study.set_user_attr(DEFAULTS_ATTR, {"values": dict(space.defaults), "searched": searched})


def with_stored_defaults(spec: StudySpec, study: optuna.Study) -> StudySpec:
    """The request, with what it leaves out as it was when the study was created.

    A study of format 6 did not store what its request left out, so all of it stays as it was.

    Args:
        spec: the request, fitted to its models.
        study: the existing study.
    """
    stored = study.user_attrs[IDENTITY_ATTR]["space"]
    of_old = {"values": stored["fixed"], "searched": list(stored["searched"])}
    made: dict[str, Any] = study.user_attrs.get(DEFAULTS_ATTR, of_old)
    space = spec.space
    values = {name: made["values"].get(name, value) for name, value in space.defaults.items()}
    mentioned = {*space.fixed, *(each.name for each in space.parameters if not each.by_default)}
    kept = {
        name: Parameter(name, _domain(stored["searched"][name]["domain"]), by_default=True)
        for name in made["searched"]
        if name in space.defaults and name not in mentioned and not stored["searched"][name]["conditions"]
    }
    own = [
        kept.pop(each.name, each)
        for each in space.parameters
        if not each.by_default or each.name in stored["searched"]
    ]
    search = spec.search
    seed = study.user_attrs[IDENTITY_ATTR]["search"]["seed"]
    if search.seed == default_seed(spec.study) and seed == 0:  # the default of an earlier version
        search = replace(search, seed=seed)
    # Those that the request would not search today come first, because others may depend on them.
    space = replace(space, defaults=values, parameters=(*kept.values(), *own))
    return replace(spec, space=space, search=search)


def require_same(study: optuna.Study, space: SearchSpace, identity: Mapping[str, Any]) -> None:
    """Raises StudyError if the study was made from another request; the message shows what differs.

    Args:
        study: the existing study.
        space: of the request, from `with_stored_defaults`.
        identity: of the same request.
    """
    was, now = (_whole(each, space.defaults) for each in (study.user_attrs[IDENTITY_ATTR], identity))
    if was != now:
        raise StudyError(_difference(study.study_name, was, now))


def _domain(stored: Mapping[str, Any]) -> Choice | Range:
    return Choice(tuple(stored["values"])) if "values" in stored else Range(**stored)


def _whole(identity: Mapping[str, Any], defaults: Mapping[str, Value]) -> dict[str, Any]:
    """The identity, completed by what it leaves out or did not know when it was stored."""
    space = identity["space"]
    usual = {name: value for name, value in asdict(SearchMethod()).items() if name in _OPTIONAL}
    searched = {
        name: {
            "domain": _filled(each["domain"], Choice if "values" in each["domain"] else Range),
            "conditions": [_filled(condition, Condition) for condition in each["conditions"]],
        }
        for name, each in space["searched"].items()
    }
    fixed = {name: value for name, value in {**defaults, **space["fixed"]}.items() if name not in searched}
    return {
        **identity,
        "space": {"fixed": fixed, "searched": searched},
        "search": {**json.loads(json.dumps(usual)), **identity["search"]},
    }


def _filled(stored: Mapping[str, Any], kind: type[Choice | Range | Condition]) -> dict[str, Any]:
    return {each.name: stored.get(each.name, each.default) for each in fields(kind)}


def _difference(name: str, stored: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    was, now = dict(_flat(stored)), dict(_flat(asked))
    lines = [
        f"  {path}: was {_shown(was, path)}, is now {_shown(now, path)}"
        for path in sorted({*was, *now})
        if _shown(was, path) != _shown(now, path)
    ]
    return "\n".join(
        [
            f"study {name!r} was made from another request, so its trials do not compare with new ones:",
            *lines,
            "Give the new search another name (study: ...), or restore these values.",
        ]
    )


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _shown(tree: Mapping[str, Any], path: str) -> str:
    return json.dumps(tree[path]) if path in tree else "absent"
