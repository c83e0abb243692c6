"""Every file in search_spaces/ is read, and is what its comments say."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from autoft.spec.read import read_spec
from autoft.spec.schema import json_schema

FOLDER = Path(__file__).parents[2] / "search_spaces"
NAMES = [
    *("multi-label", "overnight-gpu", "quickstart", "text-classification", "text-regression"),
    "token-classification",
]


def test_the_list_above_is_complete() -> None:
    assert sorted(file.stem for file in FOLDER.glob("*.y*ml")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_it_is_read_and_valid_for_editors(name: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    file = FOLDER / f"{name}.yaml"
    spec = read_spec(file)
    assert spec.space.parameters and spec.data.path is not None and spec.data.path.parent == FOLDER
    document: Any = YAML(typ="safe", pure=True).load(file)
    jsonschema.validate(document, json_schema())


def test_the_short_form_leaves_the_space_to_autoft() -> None:
    spec = read_spec(FOLDER / "text-classification.yaml")
    assert all(parameter.by_default for parameter in spec.space.parameters)


def test_the_commented_parts_of_the_short_form_are_right(tmp_path: Path) -> None:
    text = (FOLDER / "text-classification.yaml").read_text()
    hidden = text[text.index("# space:") :].replace("# ", "", 1).replace("\n# ", "\n")
    file = tmp_path / "space.yaml"
    file.write_text(text[: text.index("# space:")] + hidden)
    assert read_spec(file).space.fixed["epochs"] == 4


def test_the_long_form_searches_with_conditions() -> None:
    spec = read_spec(
        FOLDER / "overnight-gpu.yaml", ["study=rehearsal", "register.name=rehearsal", "budget.trials=3"]
    )
    assert (spec.study, spec.register.name, spec.budget.trials) == ("rehearsal", "rehearsal", 3)
    conditional = {parameter.name for parameter in spec.space.parameters if parameter.conditions}
    assert conditional == {"weight_decay", "warmup_ratio"}
    assert len(spec.first) == 2
