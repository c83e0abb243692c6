"""The parser, `autoft schema` and `autoft explain` have one source; this holds them together."""

from dataclasses import MISSING, fields
from typing import Any

import pytest

from autoft.errors import SpecError
from autoft.spec.document import Document, Form, keys_of
from autoft.spec.explain import explain, find, topics
from autoft.spec.pruners import PRUNERS
from autoft.spec.read import read_spec
from autoft.spec.samplers import SAMPLERS
from autoft.spec.scalars import size_bytes
from autoft.spec.schema import json_schema
from autoft.spec.study import Checkpoints, Register, Resources, SearchMethod, SplitSpec
from autoft.spec.tasks import HYPERPARAMETERS, METRICS, TASKS

from .asked import GOOD

jsonschema = pytest.importorskip("jsonschema")  # comes with ray

# For each hyperparameter: values on both sides of its bounds, and of the wrong type.
PROBES = {
    each.name: [
        each.default,
        each.low,
        each.high,
        each.low - 1,
        each.high + 1,
        each.low + 0.5,
        each.low + 1,
        True,
        "all",
        "linear",
        "1",
        [],
        {},
    ]
    for each in HYPERPARAMETERS.values()
}


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def parsed(document: dict[str, Any]) -> bool:
    try:
        read_spec(document)
    except SpecError:
        return False
    return True


def test_schema_and_parser_have_the_same_keys() -> None:
    schema = json_schema()
    definitions = schema["$defs"]

    def compare(node: dict[str, Any], form: type[Form]) -> None:
        node = definitions[node["$ref"].rsplit("/", 1)[1]] if "$ref" in node else node
        assert set(node["properties"]) == set(keys_of(form))
        assert node["additionalProperties"] is False
        for key, annotation in keys_of(form).items():
            assert "title" not in node["properties"][key]
            if isinstance(annotation, type) and issubclass(annotation, Form):
                compare(node["properties"][key], annotation)

    compare(schema, Document)
    assert set(schema["properties"]["space"]["properties"]) == set(HYPERPARAMETERS)


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in PROBES.items() for value in values], ids=str
)
def test_schema_and_parser_take_the_same_values(validator: Any, name: str, value: object) -> None:
    for entry in (value, [value], {"values": [value]}):
        document = {**GOOD, "space": {name: entry}}
        assert validator.is_valid(document) == parsed(document)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[("objective", name) for name in (*METRICS, "f1")],
        *[("task", name) for name in (*TASKS, "text")],
        *[("search", {"sampler": name}) for name in (*SAMPLERS, "tp", 3)],
        *[("search", {"pruner": {"name": name}}) for name in (*PRUNERS, "asha")],
        *[("search", {"pruner": {"name": name, "min_resource": 2}}) for name in PRUNERS],
        ("search", {"pruner": {"min_resource": 2}}),
        *[("search", {"learn_from": names}) for names in ("a", ["a", "b"], [], ["a", "a"], "a/b", [".a"], 3)],
        *[("budget", {"trials": 1, "time": time}) for time in ("8h", "1h30m", "1.5h", "8", 8, "h", "")],
        *[("resources", {"gpus_per_trial": share}) for share in ("auto", 0, 0.5, 1, 2, "none")],
        *[("resources", {"gpus": gpus}) for gpus in ([0, 1], [], [0, 0], [-1], "0,1")],
        *[
            ("resources", {"cache": size})
            for size in ("20GB", "1.5 TB", 0, 20, "20", "20gb", "-1GB", "GB", False)
        ],
        *[("checkpoints", {"keep": keep}) for keep in (1, 3, 0, 1.5, "all")],
        *[("register", {"promote": rule}) for rule in ("if_better", "always", "never", "sometimes", True)],
        *[("study", name) for name in ("a", ".a", "a b", "a" * 100, "a" * 101, 3)],
        *[("model", model) for model in ("org/a", ["org/a", "b"], {"id": "a", "revision": "b"}, [], {}, 3)],
        *[("first", first) for first in ([{"dropout": 0.1}], [{}], [{"drop": 1}], {"dropout": 0.1})],
        ("space", {"dropout": {"low": 0, "high": 0.4, "when": {"unfreeze_depth": [0, "all"]}}}),
        ("space", {"dropout": {"low": 0, "high": 0.4, "when": {"unfreeze": 1}}}),
        ("space", {"dropout": {"low": 0, "high": 1}}),
        ("space", {"dropout": {"low": 0}}),
        ("space", {"lr_schedule": {"low": 0, "high": 1}}),
        ("search", {"seed": -1}),
    ],
    ids=str,
)
def test_schema_and_parser_take_the_same_sections(validator: Any, key: str, value: object) -> None:
    document = {**GOOD, key: value}
    assert validator.is_valid(document) == parsed(document)


def test_the_schema_tells_defaults_of_the_dataclasses() -> None:
    definitions = json_schema()["$defs"]
    resources = definitions["ResourcesForm"]["properties"]
    resources["cache"]["default"] = size_bytes(resources["cache"]["default"])  # as people write it
    for form, spec in (
        ("SplitForm", SplitSpec),
        ("ResourcesForm", Resources),
        ("SearchForm", SearchMethod),
        ("CheckpointsForm", Checkpoints),
        ("RegisterForm", Register),
    ):
        defaults = {f.name: f.default for f in fields(spec) if f.default not in (None, MISSING)}
        told = {
            key: node["default"] for key, node in definitions[form]["properties"].items() if "default" in node
        }
        if form == "SearchForm":  # absent, it follows from the study's name
            assert defaults.pop("seed") == 0
        assert told == defaults


def test_every_key_is_described() -> None:
    schema = json_schema()
    nodes = [schema, *(node for name, node in schema["$defs"].items() if name != "Conditions")]
    for node in nodes:
        for key, inner in node["properties"].items():
            assert inner.get("description") or "$ref" in inner, key


def test_every_registered_name_is_in_the_schema_and_explained() -> None:
    schema = json_schema()
    search = schema["$defs"]["SearchForm"]["properties"]
    told = {
        "task": set(schema["properties"]["task"]["enum"]),
        "hyperparameter": set(schema["properties"]["space"]["properties"]),
        "metric": {way["const"] for way in schema["properties"]["objective"]["oneOf"]},
        "sampler": {way["const"] for way in search["sampler"]["oneOf"] if "const" in way},
        "pruner": {way["const"] for way in search["pruner"]["oneOf"] if "const" in way},
    }
    registered = {
        "task": set(TASKS),
        "hyperparameter": set(HYPERPARAMETERS),
        "metric": set(METRICS),
        "sampler": set(SAMPLERS),
        "pruner": set(PRUNERS),
    }
    explained = {kind: {topic.name for topic in topics() if topic.kind == kind} for kind in registered}
    assert told == registered == explained
    overview = explain()
    for topic in topics():
        assert topic.meaning in overview and topic.meaning in explain(topic.name)


def test_explain_tells_bounds_defaults_and_options() -> None:
    assert "a number from 0 to below 1" in explain("dropout") and "default 0.1" in explain("dropout")
    assert "0 never ends it early" in explain("early_stopping") and "default 0" in explain("early_stopping")
    rates = "searched where it is not mentioned: 1/8 to 8 times the recommended rate, log"
    assert rates in explain("learning_rate")
    assert "lower is better" in explain("log_loss")
    assert "reduction_factor" in explain("hyperband") and "default 3" in explain("hyperband")
    assert explain("successive_halving").endswith("the default")
    assert "the default" not in explain("median")


def test_explain_of_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(SpecError, match=r"got 'learning-rat'; did you mean 'learning_rate'\?"):
        find("learning-rat")
    assert {topic.kind for topic in find("pruners")} == {"pruner"}


def test_defaults_are_within_bounds_and_default_domains_too() -> None:
    for each in HYPERPARAMETERS.values():
        assert each.check(each.default) == each.default
        assert type(each.check(each.default)) is type(each.default)
        ends = getattr(each.searched, "values", None) or [
            getattr(each.searched, end) for end in ("low", "high") if each.searched
        ]
        assert [each.check(end) for end in ends] == list(ends)
