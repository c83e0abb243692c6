"""The next space, from studies whose trials score what is written down here."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from optuna.trial import create_trial
from typer.testing import CliRunner

from autoft.cli import app
from autoft.data.prepare import examine
from autoft.errors import StudyError
from autoft.refine import refine
from autoft.spec.read import read_spec
from autoft.study.identity import identity_of
from autoft.study.layout import SPACE, study_folder
from autoft.study.records import MEASUREMENT_ATTR, TRIAL_ATTR, measurement_note, write_info
from autoft.study.request_folder import write_request_folder
from autoft.study.storage import open_study
from autoft.study.suggest import distributions

from .data.prepared import RULES
from .report.page.small_study import info_of
from .report.records import BEGAN
from .study.scripted import measurement

TEXT = """\
# mine
task: text-classification
model: [org/small, org/large]
data: {path: rows.csv, inputs: text, target: label}
objective: macro_f1
first:
- {learning_rate: 1e-4}
space:
  learning_rate: {low: 1e-5, high: 1e-1, log: true}
  unfreeze_depth: [0, 1, 2, all]
  dropout: {low: 0, high: 0.4, unless: {unfreeze_depth: 0}}
  label_smoothing: {low: 0, high: 0.2, when: {unfreeze_depth: 0}}
  layer_decay: {low: 0.6, high: 1, when: {unfreeze_depth: all}}
  batch_size: {low: 8, high: 64, step: 8}
  weight_decay: 0.01
search: {sampler: random, pruner: none, start: random, seed: 2}
budget: {trials: 40}
"""


def score_of(values):
    """Good are trained blocks of the small model at a learning rate near 1e-3: two or all of `drawn`'s."""
    off = abs(math.log10(values["learning_rate"] / 1e-3))
    return 0.3 + 0.2 * (values["unfreeze_depth"] != 0) + 0.2 * (values["model"] == "org/small") - 0.05 * off


def drawn(number):
    """Parameters of trials that fill the space evenly."""
    share = (number * 0.618) % 1
    return {
        "model": ("org/small", "org/large")[number % 2],
        "unfreeze_depth": (0, 1, 2, "all")[number // 2 % 4],
        "learning_rate": 10 ** (4 * share - 5),
        "dropout": 0.4 * share,
        "label_smoothing": 0.2 * share,
        "layer_decay": 1 - 0.4 * share,
        "batch_size": 8 * (1 + number % 8),
    }


def searched(score=score_of, trials=24, text=TEXT):
    """A space.yaml in the working directory, and its study with as many complete trials."""
    path = Path("tickets.yaml")
    path.write_text(text)
    labels = ["red", "green"]
    Path("rows.csv").write_text("text,label\n" + "".join(f"row {i},{labels[i % 2]}\n" for i in range(40)))
    spec = read_spec(path)
    rows = examine(spec.data, RULES)
    folder = study_folder("tickets")
    study = open_study(spec, folder, identity_of(spec, rows.digest))
    (folder / SPACE).write_text(spec.text)
    write_request_folder(study, spec.base, folder)
    write_info(study, replace(info_of(spec, rows), name="tickets"))
    for number in range(trials):
        params = dict[str, object]()
        for parameter in spec.space.parameters:
            if spec.space.active(parameter, params):
                params[parameter.name] = drawn(number)[parameter.name]
        values = spec.space.resolve(params)
        told = measurement(1, 1, score(values))
        attrs = {
            TRIAL_ATTR: {"values": values, "seed": 1, "attempt": 1, "began": BEGAN.isoformat()},
            MEASUREMENT_ATTR.format(index=1): measurement_note(1, told, "node", stop=None, gpus=0.0),
        }
        trial = create_trial(
            value=score(values),
            params=params,
            distributions=distributions(spec.space, params),
            intermediate_values={12: score(values)},
            user_attrs=attrs,
        )
        study.add_trial(trial)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A working directory with one study, for the tests that only read it."""
    folder = tmp_path_factory.mktemp("refine")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        searched()
    return folder


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return folder


def test_the_next_space_is_narrower_learns_from_the_study_and_competes_for_its_champion(here):
    path = refine("tickets.yaml")
    assert path == here / "tickets-2.yaml"
    spec = read_spec(path)
    assert spec.study == "tickets-2"
    assert spec.search.learn_from == ("tickets",)
    assert (spec.register.name, spec.first, spec.data.path) == ("tickets", (), here / "rows.csv")
    found = yaml.safe_load(path.read_text())
    assert found["model"] == "org/small"
    space = found["space"]
    assert space["unfreeze_depth"] == [2, "all"]
    rate = space["learning_rate"]
    low, high = float(rate["low"]), float(rate["high"])
    assert low < 1e-3 < high
    assert high / low < 1e4
    assert rate["log"] is True
    assert space["batch_size"]["step"] == 8
    assert space["weight_decay"] == 0.01
    # The first condition always holds now, the second cannot, and the third still can or not.
    assert set(space["dropout"]) == {"low", "high"}
    assert space["label_smoothing"] == 0.0
    assert space["layer_decay"]["when"] == {"unfreeze_depth": ["all"]}
    assert path.read_text().startswith("# The next search after tickets")
    why = "  # was 0, 1, 2 or all; narrowed to the best 6 of 24 trials\n"
    assert f"{why}  unfreeze_depth: [2, all]" in path.read_text()


def test_no_file_is_overwritten(here):
    for _ in range(2):
        before = {path: path.read_text() for path in here.glob("*.yaml")}
        path = refine("tickets")
        assert path not in before
        assert {each: each.read_text() for each in before} == before


def test_the_command_says_where_it_is_and_how_to_go_on(here):
    ran = CliRunner().invoke(app, ["refine", "tickets"])
    path, then = ran.output.splitlines()
    assert Path(path).exists()
    assert then == f"autoft check {path}"


def test_the_report_is_written_by_name_at_any_time(here):
    ran = CliRunner().invoke(app, ["report", "tickets"])
    page = Path(ran.output.strip())
    assert page == here / "studies/tickets/report.html"
    assert "leads with macro_f1" in page.read_text()  # its budget is not met


def test_a_value_that_is_left_out_is_left_out_of_conditions_too(workdir):
    searched(lambda values: 0.9 - 0.1 * (values["unfreeze_depth"] in (2, "all")))
    space = yaml.safe_load(refine("tickets").read_text())["space"]
    assert space["unfreeze_depth"] == [0, 1]
    assert space["dropout"]["unless"] == {"unfreeze_depth": [0]}
    assert space["label_smoothing"]["when"] == {"unfreeze_depth": [0]}
    assert space["layer_decay"] == 1.0


def test_too_few_trials_are_refused(workdir):
    searched(trials=3)
    with pytest.raises(StudyError, match=r"'tickets': fewer than 8 trials were measured"):
        refine("tickets")
    assert list(workdir.glob("tickets-*.yaml")) == []
