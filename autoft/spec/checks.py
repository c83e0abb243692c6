"""Rules that hold between values of space.yaml, each told even where other values are wrong."""

import os
from collections.abc import Mapping

from autoft.spec.databases import same_database, tracking_uri
from autoft.spec.environment import redact
from autoft.spec.location import Notes, Path, Tree
from autoft.spec.methods import Method
from autoft.spec.shape import unknown_key
from autoft.spec.space import Value
from autoft.spec.study import SplitSpec
from autoft.spec.task import TaskSpec
from autoft.spec.tasks import METRICS
from autoft.spec.wording import any_of, got, must_be_one_of, number


def check_data(data: object, in_memory_data: bool, notes: Notes) -> None:
    """One source of rows, and columns that do not contradict each other."""
    if not isinstance(data, dict):
        return
    sources = [key for key in ("path", "hub") if key in data]
    if len(sources) == 2:
        notes.add(("data", "hub"), "must not stand beside `path`; keep the one that holds the rows")
    elif not sources and not in_memory_data:
        notes.add(("data",), "must say where the rows are: `path: rows.csv` or `hub: org/name`, got neither")
    for key in ("revision", "config"):
        if key in data and "hub" not in data:
            notes.add(("data", key), f"is for hub datasets, got {got(data[key])} without `hub`; remove it")
    inputs, target = data.get("inputs"), data.get("target")
    if target in (inputs if isinstance(inputs, list) else [inputs]) and target is not None:
        notes.add(("data", "target"), f"must not be an input, got {got(target)} in both")
    split = data.get("split")
    if isinstance(split, dict):
        _check_split(split, inputs, target, notes)


def _check_split(split: Mapping[str, object], inputs: object, target: object, notes: Notes) -> None:
    shares = [split.get("validation", SplitSpec.validation), split.get("test", SplitSpec.test)]
    numbers = [share for share in shares if isinstance(share, int | float) and 0 <= share < 1]
    if len(numbers) == 2 and sum(numbers) >= 1:
        what = f"validation={number(numbers[0])}, test={number(numbers[1])}"
        notes.add(("data", "split"), f"validation + test must leave rows to train on (below 1), got {what}")
    group = split.get("group")
    if group is not None and group == target:
        rule = "must not be the target (every label would be in one split only)"
        notes.add(("data", "split", "group"), f"{rule}, got {got(group)}")


def check_objective(tree: Tree, task: TaskSpec | None, notes: Notes) -> None:
    """A metric of the task; of any task where the task itself is wrong."""
    objective = tree.get("objective")
    known = task.metrics if task else METRICS
    if isinstance(objective, str) and objective and objective not in known:
        notes.add(("objective",), must_be_one_of(objective, known))


def check_learn_from(search: object, study: str, notes: Notes) -> None:
    """Earlier studies, not this one."""
    named = search.get("learn_from") if isinstance(search, dict) else None
    if study and study in (named if isinstance(named, list) else [named]):
        notes.add(
            ("search", "learn_from"),
            f"must name earlier studies, got {got(study)}, which is this one; remove it, or give the new "
            "search another name (study: ...)",
        )


def check_databases(uri: str | None, storage: str | None, study: str, notes: Notes) -> None:
    """MLflow and the study in a database each. `uri` and `storage` are None where they are not given."""
    own = storage or f"sqlite:///studies/{study}/study.db"
    fix = "for the study, or leave search.storage out" if storage else "for MLflow"
    places = {"tracking.uri" if uri else "MLFLOW_TRACKING_URI or its default": tracking_uri(uri)}
    if registry := os.environ.get("MLFLOW_REGISTRY_URI"):
        places["MLFLOW_REGISTRY_URI"] = registry
    shared = next((name for name, where in places.items() if same_database(where, own)), None)
    if shared is not None:
        notes.add(
            ("search", "storage") if storage else ("tracking", "uri"),
            f"must be another database than MLflow's ({shared}), because both have tables of the same names; "
            f"got {redact(own)!r}, and for MLflow {redact(places[shared])!r}. Name another one {fix}",
        )


def read_method(
    raw: object, registry: Mapping[str, Method], path: Path, notes: Notes
) -> tuple[str, dict[str, Value]] | None:
    """A sampler's or pruner's name with all its options, or None with notes.

    `raw` is the name, or a mapping of `name` and options.
    """
    given: Mapping[str, object] = raw if isinstance(raw, dict) else {}
    name = given.get("name") if isinstance(raw, dict) else raw
    where = (*path, "name") if isinstance(raw, dict) else path
    if isinstance(raw, dict) and "name" not in raw:
        notes.add(where, f"is required: one of {any_of(registry)}")
        return None
    if not isinstance(name, str) or name not in registry:
        notes.add(where, must_be_one_of(name, registry))
        return None
    method = registry[name]
    options = {option.name: option for option in method.options}
    found: dict[str, Value] = {}
    for key, value in given.items():
        if key == "name":
            continue
        if key not in options:
            rule = unknown_key(key, options, path) if options else f"must not be given: {name} has no options"
            notes.add((*path, key), rule)
            continue
        try:
            found[key] = options[key].check(value)
        except ValueError as error:
            notes.add((*path, key), str(error))
    return name, method.resolve(found)
