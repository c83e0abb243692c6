"""Whose steps are captured is found out before the first trial, on a CPU here: nothing is captured there, but
both forms run."""

import json
from dataclasses import replace

import pytest
import torch

from autoft.kernel.boundary.plan import CachePlan
from autoft.kernel.workbench import Workbench
from autoft.study import cuda_graphs
from autoft.study.cuda_graphs import with_graphs

from ..kernel.boundary.test_cache import request
from ..kernel.tiny import save_pretrained, study_inputs

PLAN = CachePlan(notes=("a note",))


@pytest.fixture
def things(tmp_path):
    return study_inputs(tmp_path, replace(save_pretrained("bert", tmp_path / "bert"), name="./bert"))


@pytest.fixture
def gpu(monkeypatch):
    """The driver takes itself to have one."""
    monkeypatch.setattr(cuda_graphs, "choose_device", lambda: torch.device("cuda", 0))


def asked(**space):
    spec = request("bert", **{"unfreeze_depth": "all", **space})
    return replace(spec, resources=replace(spec.resources, cuda_graphs=True))


def test_without_being_asked_for_steps_are_eager(things):
    assert with_graphs(PLAN, request("bert"), things, "fp32") is PLAN


def test_where_both_forms_agree_steps_are_captured_and_the_study_keeps_that(things, gpu, monkeypatch):
    tried, plain = [], Workbench.first_steps

    def watched(bench, config, count):
        graphs = bench.study_inputs.cache_plan.graphs
        tried.append((config.unfreeze_depth, config.dropout, config.optimizer, graphs))
        return plain(bench, config, count)

    monkeypatch.setattr(Workbench, "first_steps", watched)
    before = torch.get_rng_state(), torch.get_num_threads()
    spec = asked(optimizer=["adamw", "sgd"], unfreeze_depth=[0, "all"])
    plan = with_graphs(PLAN, spec, things, "fp32")
    assert plan.graphs == ("./bert",)
    assert plan.notes == (
        "a note",
        "steps of ./bert are CUDA graphs",
        "steps of sgd are eager: only those of adamw can be captured",
    )
    forms = [(depth, 0.0, "adamw", graphs) for depth in (0, "all") for graphs in ((), ("./bert",))]
    assert tried == forms
    assert torch.equal(torch.get_rng_state(), before[0]) and torch.get_num_threads() == before[1]
    assert CachePlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    assert plan.at({}).graphs == ("./bert",)


def test_without_a_gpu_at_hand_they_are_eager(things):
    plan = with_graphs(PLAN, asked(), things, "fp32")
    assert plan.graphs == ()
    assert plan.notes[1:] == ("steps of ./bert are eager: there is no GPU here to try it on",)


def test_a_model_that_reads_padding_is_eager(things, gpu):
    plan = with_graphs(replace(PLAN, mixing_padding=("./bert",)), asked(), things, "fp32")
    assert plan.graphs == ()
    assert plan.notes[1] == "steps of ./bert are eager: it reads padding, of which captured batches have more"


def found(losses):
    """Stands for the first steps of both forms, the eager one first."""
    given = iter(losses)

    def first_steps(bench, config, count):
        following = next(given)
        if isinstance(following, Exception):
            raise following
        return following, {}

    return first_steps


@pytest.mark.parametrize(
    ("captured", "why"),
    [
        ([1.0, 0.5 + 0.9e-3], None),  # the tolerance is a thousandth of the first loss
        ([1.0, 0.5 + 1.1e-3], "captured ones differ: at depth all, step 2 the loss is 0.5011, not 0.5"),
        ([float("nan"), 0.5], "captured ones differ: at depth all, step 1 the loss is nan, not 1"),
        (
            TypeError("must be float, not Tensor"),
            "a captured step failed: TypeError('must be float, not Tensor')",
        ),
    ],
)
def test_where_they_differ_or_fail_they_are_eager_and_a_note_says_why(
    things, gpu, monkeypatch, captured, why
):
    monkeypatch.setattr(Workbench, "first_steps", found([[1.0, 0.5], captured]))
    plan = with_graphs(PLAN, asked(), things, "fp32")
    assert plan.graphs == (() if why else ("./bert",))
    assert plan.notes[1] == "steps of ./bert are " + (f"eager: {why}" if why else "CUDA graphs")


def test_what_could_not_be_captured_is_told(things, gpu, monkeypatch):
    monkeypatch.setattr(Workbench, "first_steps", found([[1.0], [1.0]]))
    told = iter([[], ["operation not permitted"]])
    monkeypatch.setattr(Workbench, "not_captured", property(lambda bench: next(told)))
    plan = with_graphs(PLAN, asked(), things, "fp32")
    assert plan.notes[1] == "steps of ./bert are eager: they cannot be captured: operation not permitted"
