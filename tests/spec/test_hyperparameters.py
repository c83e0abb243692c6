"""One declaration is enough: parser, schema, explain, configuration and identity follow from it."""

import json
import subprocess
import sys
from dataclasses import fields
from typing import Any

import pytest

from autoft.spec.hyperparameters import COMMON, Common
from autoft.spec.tasks import HYPERPARAMETERS

COMMON_ONE = """
import inspect
from autoft.spec import hyperparameters as home

added = '''
    beta: float = hyperparameter(
        0.9, "share of the momentum that is kept", low=0, high=1, high_open=True, cost=Cost.ROW
    )
'''
source = inspect.getsource(home)
place = source.index("    max_grad_norm: float")
exec(source[:place] + added.lstrip("\\n") + source[place:], vars(home))
"""
"""As one more field of `Common`, before anything else of autoft is imported."""

OWN_ONE = """
from dataclasses import replace
from autoft.spec.hyperparameters import Cost, Hyperparameter
from autoft.tasks import text_classification as home

beta = Hyperparameter(
    "beta", "float", 0.9, "share of the momentum that is kept", 0, 1, high_open=True, cost=Cost.ROW
)
home.TASK = replace(home.TASK, own=(*home.TASK.own, beta))
"""
"""In a task's declaration."""

LOOK = """
import json
from dataclasses import asdict
from autoft.errors import SpecError
from autoft.kernel.resume_state import ResumeState, header
from autoft.spec.corners import corners
from autoft.spec.explain import explain
from autoft.spec.read import read_spec
from autoft.spec.schema import json_schema
from autoft.spec.tasks import HYPERPARAMETERS
from autoft.study.identity import identity_of
from autoft.study.trial_config import fine_tune_config

def spec(**space):
    rest = {"data": {"path": "rows.csv", "inputs": "text", "target": "label"}, "budget": {"trials": 1}}
    about = {"study": "s", "task": "text-classification", "model": "m", "objective": "macro_f1"}
    return read_spec({**rest, **about, "space": space})

def told(**space):
    asked = spec(**space)
    config = fine_tune_config(asked, asked.space.resolve({}), 0, "fp32")
    return {
        "config": asdict(config),
        "identity": identity_of(asked, "digest"),
        "resume": header(ResumeState(0, [], 0.0, None, {}), config, "rows")["key"],
        "corner": corners(asked.space)[0].get("beta"),
    }

def refused(**space):
    try:
        spec(**space)
    except SpecError as error:
        return str(error)

found = {"usual": told()}
if "beta" in HYPERPARAMETERS:
    found |= {"given": told(beta=0), "refused": refused(beta=1), "explain": explain("beta")}
    found["schema"] = json_schema()["properties"]["space"]["properties"]["beta"]["anyOf"][0]
print(json.dumps(found))
"""


def seen(before: str = "") -> dict[str, Any]:
    """What another process sees of the hyperparameter `beta`, after `before`."""
    ran = subprocess.run([sys.executable, "-c", before + LOOK], capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


@pytest.mark.parametrize(("added", "common"), [(COMMON_ONE, True), (OWN_ONE, False)], ids=["common", "own"])
def test_one_added_declaration_is_seen_everywhere_and_changes_nothing_at_its_default(
    added: str, common: bool
) -> None:
    before, after = seen(), seen(added)
    assert "must be a number from 0 to below 1, got 1" in after["refused"]
    assert after["schema"] == {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
    assert "share of the momentum that is kept" in after["explain"] and "default 0.9" in after["explain"]
    for which, value in (("usual", 0.9), ("given", 0.0)):
        config = after[which]["config"]
        assert (config if common else config["task_values"])["beta"] == value
        assert after[which]["corner"] == value
    assert after["usual"]["identity"] == before["usual"]["identity"]
    assert after["usual"]["resume"] == before["usual"]["resume"]
    assert after["given"]["identity"]["space"]["fixed"]["beta"] == 0
    assert after["given"]["resume"] != before["usual"]["resume"]


def test_the_values_of_a_trial_are_of_the_declared_types() -> None:
    assert list(COMMON) == [each.name for each in fields(Common)]
    assert {name: each.default for name, each in COMMON.items()} == vars(Common())
    types = {"float": float, "int": int, "choice": str}
    assert all(type(each.default) is types.get(each.kind, str) for each in COMMON.values())


def test_a_choice_that_costs_says_what_each_of_its_values_costs() -> None:
    for each in HYPERPARAMETERS.values():
        assert len(each.sizes) == (len(each.choices) if each.cost else 0)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [("epochs", 6.0, 6), ("dropout", 0, 0.0), ("unfreeze_depth", "all", "all"), ("unfreeze_depth", 2, 2)],
)
def test_a_stored_value_gets_its_own_type(name: str, value: Any, expected: Any) -> None:
    found = COMMON[name].typed(value)
    assert (found, type(found)) == (expected, type(expected))
