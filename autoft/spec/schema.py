"""The JSON Schema of space.yaml, for editors: made from the parser's own forms and registries."""

from collections.abc import Mapping
from typing import Any

from autoft.spec.default_domains import default_domain_text
from autoft.spec.document import ChoiceForm, Document, ModelForm, RangeForm
from autoft.spec.hyperparameters import ALL, Hyperparameter
from autoft.spec.methods import Method
from autoft.spec.pruners import PRUNERS
from autoft.spec.samplers import SAMPLERS
from autoft.spec.task import TaskSpec
from autoft.spec.tasks import HYPERPARAMETERS, METRICS, TASKS

Schema = dict[str, Any]

_CONDITIONS = {"$ref": "#/$defs/Conditions"}


def json_schema() -> Schema:
    """The schema (draft 2020-12) that `autoft schema` prints.

    A file that `read_spec` takes is valid, but for keys without a value. The rules between values
    (low below high, conditions that can hold) are the parser's alone.

    >>> sorted(json_schema()["required"])
    ['budget', 'data', 'model', 'objective', 'task']
    """
    schema = _tidy(Document.model_json_schema(by_alias=True))
    properties, definitions = schema["properties"], schema["$defs"]
    properties["model"] |= _model()
    properties["objective"] = {
        "description": properties["objective"]["description"],
        "oneOf": [{"const": each.name, "description": each.meaning} for each in METRICS.values()],
    }
    properties["space"] |= {
        "type": "object",
        "properties": {name: _entry(each) for name, each in HYPERPARAMETERS.items()},
        "additionalProperties": False,
    }
    parameters = {"model": {"type": "string"}} | {
        name: _value(each) for name, each in HYPERPARAMETERS.items()
    }
    properties["first"] |= {
        "type": "array",
        "items": {
            "type": "object",
            "properties": parameters,
            "additionalProperties": False,
            "minProperties": 1,
        },
    }
    search = definitions["SearchForm"]["properties"]
    search["sampler"] |= _method(SAMPLERS)
    search["pruner"] |= _method(PRUNERS)
    definitions["Conditions"] = {
        "type": "object",
        "properties": {name: {"anyOf": [value, _list(value)]} for name, value in parameters.items()},
        "additionalProperties": False,
        "minProperties": 1,
    }
    schema["allOf"] = [_of_task(task) for task in TASKS.values()]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "autoft space", **schema}


def _of_task(task: TaskSpec) -> Schema:
    """A task has its own metrics and hyperparameters."""
    return {
        "if": {"properties": {"task": {"const": task.name}}},
        "then": {
            "properties": {
                "objective": {"enum": list(task.metrics)},
                "space": {"propertyNames": {"enum": list(task.hyperparameters)}},
            }
        },
    }


def _tidy(node: Any) -> Any:
    """Pydantic's schema less what helps nobody: titles, and null beside the real type."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {
        key: _tidy(item)
        for key, item in node.items()
        if not (key == "title" and isinstance(item, str)) and not (key == "default" and item is None)
    }
    if "anyOf" in kept:
        types = [item for item in kept.pop("anyOf") if item != {"type": "null"}]
        kept |= types[0] if len(types) == 1 else {"anyOf": types}
    return kept


def _model() -> Schema:
    one = {"anyOf": [{"type": "string", "minLength": 1}, _tidy(ModelForm.model_json_schema())]}
    return {"anyOf": [*one["anyOf"], _list(one)]}


def _list(item: Schema) -> Schema:
    return {"type": "array", "items": item, "minItems": 1}


def _value(each: Hyperparameter) -> Schema:
    """What the hyperparameter can be fixed to."""
    if each.kind == "choice":
        return {"enum": list(each.choices)}
    return {"anyOf": [_number(each), {"const": ALL}]} if each.kind == "depth" else _number(each)


def _number(each: Hyperparameter) -> Schema:
    low = "exclusiveMinimum" if each.low_open else "minimum"
    high = "exclusiveMaximum" if each.high_open else "maximum"
    return {"type": "integer" if each.integer else "number", low: each.low, high: each.high}


def _entry(each: Hyperparameter) -> Schema:
    """A scalar, a list, or a mapping with a range or with values."""
    value = _value(each)
    choices = _tidy(ChoiceForm.model_json_schema())
    choices["properties"] |= {"values": _list(value), "when": _CONDITIONS, "unless": _CONDITIONS}
    ways = [value, _list(value) | {"uniqueItems": True}, choices]
    if each.kind != "choice":
        span = _tidy(RangeForm.model_json_schema())
        ends = {"low": _number(each), "high": _number(each)}
        span["properties"] |= ends | {"when": _CONDITIONS, "unless": _CONDITIONS}
        ways.append(span)
    domain = default_domain_text(each)
    searched = f" Searched where it is absent: {domain}." if domain else ""
    return {"description": f"{each.meaning}. {each.takes}.{searched}", "default": each.default, "anyOf": ways}


def _method(registry: Mapping[str, Method]) -> Schema:
    """A name, or a mapping of a name and that method's options."""
    ways: list[Schema] = [
        {"const": method.name, "description": method.meaning} for method in registry.values()
    ]
    for method in registry.values():
        options = {
            option.name: {
                "type": "integer",
                "minimum": option.low,
                "maximum": option.high,
                "default": option.default,
                "description": option.meaning,
            }
            for option in method.options
        }
        ways.append(
            {
                "type": "object",
                "properties": {"name": {"const": method.name}, **options},
                "required": ["name"],
                "additionalProperties": False,
            }
        )
    return {"oneOf": ways}
