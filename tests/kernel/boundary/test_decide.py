import json
import math
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file
from transformers.models.t5.modeling_t5 import T5Block

from autoft.data.files import file_digest, read_table, write_table
from autoft.kernel import workbench
from autoft.kernel.boundary import decide, worth
from autoft.kernel.boundary.decide import plan_cache
from autoft.kernel.boundary.left_out import LeftOut, sentences
from autoft.kernel.boundary.plan import CachePlan
from autoft.kernel.device import choose_device
from autoft.kernel.pretrained import ModelSource

from ...conformance.architectures import TEXT
from ..tiny import study_inputs, tiny_tokenizer
from .test_cache import planned, request, results

OFTEN = {"train": 100.0, "validation": 100.0}
"""Passes over the rows."""


def test_a_plan_is_json_and_comes_back(tmp_path):
    plan = planned(tmp_path, "bert").cache_plan
    assert CachePlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    # 68 rows; 16 numbers of 4 bytes a token, and one token of each row for the head.
    assert [each.bytes for each in plan.boundaries][-1] == 68 * 16 * 4
    assert plan.notes == ("nothing at depth all: the embeddings are trained",)
    assert plan.warnings == ()


def test_a_table_that_each_trial_draws_anew_is_trained_whole(tmp_path):
    assert planned(tmp_path / "a", "bert").cache_plan.tables
    things = planned(tmp_path / "b", "bert")
    weights = Path(things.models[0].path_or_id) / "model.safetensors"
    save_file(
        {name: each for name, each in load_file(weights).items() if "word_embeddings" not in name},
        weights,
        metadata={"format": "pt"},
    )
    plan = plan_cache(request("bert"), things, "fp32", OFTEN)
    assert plan.tables == {}
    assert plan.boundaries == things.cache_plan.boundaries


@pytest.fixture
def measured(monkeypatch):
    """Has the probe measure these seconds of computing and reading for the depths 0, 1 and 2."""

    def set_to(*computed_and_read_s):
        seconds = cycle([s for pair in computed_and_read_s for s in pair])
        monkeypatch.setattr(worth, "_fastest", lambda action, device, times=3: next(seconds))

    return set_to


def within(room, things):
    spec = request("bert")
    spec = replace(spec, resources=replace(spec.resources, cache=room))
    return plan_cache(spec, things, "fp32", OFTEN)


def test_what_saves_least_for_its_bytes_is_left_out_first(tmp_path, measured):
    measured((3.0, 0.0), (2.0, 0.0), (1.0, 0.0))
    things = planned(tmp_path, "bert")
    one, two, three = things.cache_plan.boundaries
    assert one.bytes == two.bytes
    both = two.bytes + three.bytes
    for room, kept in ((both, (two, three)), (both - 1, (three,)), (three.bytes - 1, ())):
        assert within(room, things).boundaries == kept
    note = within(both, things).notes[1]
    # 16 numbers of 4 bytes a token.
    assert note.startswith(f"nothing at depth 2: no room for {one.bytes / 1000:.1f}".removesuffix(".0"))
    assert "nothing at depth 1, 2: no room for" in within(both - 1, things).notes[1]


def test_what_a_boundary_saves_is_the_time_that_was_measured(tmp_path, measured):
    # More blocks lie below the trained one of depth 1 than below the two of depth 2.
    measured((3.0, 0.0), (1.0, 0.0), (2.0, 0.0))
    things = planned(tmp_path, "bert")
    one, two, three = things.cache_plan.boundaries
    assert within(two.bytes + three.bytes, things).boundaries == (one, three)


def test_a_disk_that_is_almost_full_keeps_what_fits_in_half_of_it(tmp_path, monkeypatch):
    *_, head = planned(tmp_path, "bert").cache_plan.boundaries
    for free, kept in ((2 * head.bytes, (head,)), (2 * head.bytes - 1, ())):
        monkeypatch.setattr(decide, "disk_usage", lambda _, free=free: SimpleNamespace(free=free))
        plan = planned(tmp_path, "bert").cache_plan
        assert plan.boundaries == kept
        assert any("no room" in note for note in plan.notes)


@pytest.mark.parametrize("read_s", [0.5, 1.5])  # beside a second for each block that runs
def test_blocks_that_still_run_below_a_boundary_count_as_reading_and_are_not_spared(
    tmp_path, monkeypatch, read_s
):
    ran: list[int] = []
    block_forward = T5Block.forward
    monkeypatch.setattr(T5Block, "forward", lambda *args, **kw: ran.append(1) or block_forward(*args, **kw))

    def a_second_a_block(action, device):
        ran.clear()
        action()
        return len(ran) + (read_s if action.__name__ == "read" else 0)

    monkeypatch.setattr(worth, "_fastest", a_second_a_block)
    # Three blocks and three. At boundary 2 of the encoder and at 5 of the decoder the first block of either
    # runs still; what depth 2 trains lies right above the decoder's first, so it reads the encoder's output.
    plan = planned(tmp_path, "t5", unfreeze_depth=[1, 2, 3, 4, 5]).cache_plan
    assert any("depth 5" in note and "all frozen blocks have to run" in note for note in plan.notes)
    if read_s == 1.5:
        assert [each.boundary for each in plan.boundaries] == [3, 5]
        assert any("depth 4: reading takes 2500.00 ms, computing 2000.00 ms" in note for note in plan.notes)
        return
    two, three, five = plan.boundaries
    assert [each.cut for each in plan.boundaries] == [(2,), (3,), (3, 5)]
    assert [each.read_at for each in plan.boundaries] == [(2,), (3, 4), (5,)]
    assert five.bytes == 2 * three.bytes == 2 * two.bytes
    # Two depths of three blocks read the one file, one of four blocks a file of twice the bytes.
    monkeypatch.setattr(decide, "disk_usage", lambda _: SimpleNamespace(free=2 * three.bytes))
    only_one = planned(tmp_path, "t5", unfreeze_depth=[1, 2, 3, 4, 5]).cache_plan
    assert only_one.boundaries == (three,)
    assert any("depth 1" in note and "no room" in note for note in only_one.notes)


def test_a_cache_of_0_keeps_nothing(tmp_path):
    plan = planned(tmp_path, "bert", cache=0).cache_plan
    assert plan.boundaries == ()
    assert plan.notes == ("resources.cache is 0",)
    assert plan.first_token == {"./bert": "bert.encoder.layer.2.attention.output"}  # needs no room


@pytest.mark.parametrize(("passes", "kept"), [(7.9, []), (8.1, [1]), (11.9, [1, 2]), (12.1, [1, 2, 3])])
def test_a_boundary_has_to_save_more_than_it_takes_to_fill(tmp_path, measured, passes, kept):
    # Each depth has a quarter of the passes. Below the boundaries 1, 2 and 3 reading takes 0, 1/3 and 1/2 of
    # computing: p - 1, (p - 1) 2/3 and (p - 1) / 2 of a pass are saved; more than one from p = 2, 2.5, 3 on.
    things = planned(tmp_path, "bert")
    measured((6.0, 3.0), (6.0, 2.0), (6.0, 0.0))
    plan = plan_cache(request("bert"), things, "fp32", dict.fromkeys(OFTEN, passes))
    assert [each.boundary for each in plan.boundaries] == kept


def test_passes_over_a_split_count_by_its_tokens(tmp_path):
    # Of 68 rows 20 are evaluated: 100 passes over these alone are some 30 over all, of which each depth has
    # a quarter.
    things = planned(tmp_path, "bert")
    plans = [
        plan_cache(request("bert"), things, "fp32", {"train": train, "validation": validation})
        for train, validation in ((100.0, 0.0), (0.0, 100.0), (1.0, 1.0))
    ]
    assert [len(plan.boundaries) for plan in plans] == [3, 3, 0]


def test_a_wide_range_of_lengths_costs_one_tokenization_and_one_trial_run_a_depth(tmp_path, monkeypatch):
    tried = []
    difference = worth.difference
    monkeypatch.setattr(worth, "difference", lambda *given: tried.append(given[2]) or difference(*given))
    things = planned(tmp_path, "bert", trials=60, epochs=1, max_length={"low": 5, "high": 64})
    # 54 of 60 lengths are above the longest row; a trial has each of the others too seldom.
    assert {each.max_length for each in things.cache_plan.boundaries} == {11}
    assert "nothing at max_length 5, 6, 7, 8, 9, 10 and depth 0, 1, 2: too few" in things.cache_plan.notes[0]
    assert tried.count(1) == tried.count(2) == 1
    assert len(list(things.cache.glob("*.arrow"))) == 1


def test_of_very_many_boundaries_those_that_save_most_are_kept(tmp_path, measured, monkeypatch):
    monkeypatch.setattr(decide, "MOST", 2)
    measured((3.0, 0.0), (2.0, 0.0), (1.0, 0.0))  # the depths 0, 1 and 2
    things = planned(tmp_path, "bert")
    assert [each.boundary for each in things.cache_plan.boundaries] == [2, 3]
    assert "nothing at depth 2: 2 others save more" in things.cache_plan.notes


def test_lengths_and_models_are_named_where_it_depends_on_them():
    def at(model, max_length, depth):
        return LeftOut(model, max_length, depth, "it is full")

    assert sentences([at("a", n, d) for n in (32, 64) for d in (0, 1)], {"a": 3}) == [
        "nothing at max_length 32, 64 and depth 0, 1: it is full"
    ]
    several = [at("a", n, 0) for n in range(32, 64)] + [at("b", 32, 1)]
    assert sentences(several, {"a": 33, "b": 33}) == [
        "nothing of a at max_length 32 to 63 (32 values) and depth 0: it is full",
        "nothing of b at max_length 32 and depth 1: it is full",
    ]


def test_where_reading_costs_more_than_computing_it_is_computed(tmp_path, monkeypatch):
    seconds = iter((1.0, 2.0) * 10)
    monkeypatch.setattr(worth, "_fastest", lambda action, device, times=3: next(seconds))
    plan = planned(tmp_path, "bert").cache_plan
    assert plan.boundaries == ()
    assert any("reading takes 2000.00 ms, computing 1000.00 ms" in note for note in plan.notes)


def test_albert_keeps_nothing_and_says_why(tmp_path):
    plan = planned(tmp_path, "albert", unfreeze_depth=[0, "all"]).cache_plan
    assert plan.boundaries == ()
    assert plan.notes == (
        "nothing at depth 0: one block runs 3 times with shared parameters, below and above",
        "nothing at depth all: the embeddings are trained",
    )


def test_a_difference_turns_the_cache_off_with_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(worth, "difference", lambda *_: "the moon is full")
    plan = planned(tmp_path, "bert").cache_plan
    assert plan.boundaries == ()
    assert plan.warnings == ("nothing at depth 0, 1, 2: the moon is full",)


def test_a_model_that_reads_padding_is_warned_of(tmp_path, monkeypatch):
    monkeypatch.setattr(worth, "padding_matters", lambda *_: True)
    (warning,) = planned(tmp_path, "bert", cache=0).cache_plan.warnings
    assert warning.startswith("./bert reads padding, so its answer to a row and its scores depend on which")


@pytest.mark.parametrize("name", ["fnet", "canine", "xlnet"])
def test_a_model_that_reads_padding_is_trained_on_whole_batches(tmp_path, monkeypatch, name):
    TEXT[name].build(hf.AutoModel).save_pretrained(tmp_path / name)
    tiny_tokenizer().save_pretrained(tmp_path / name)
    source = ModelSource(f"./{name}", str(tmp_path / name))
    things = study_inputs(tmp_path, source)
    plan = plan_cache(request(name, cache=0), things, "fp32", OFTEN)
    assert CachePlan.from_json(json.loads(json.dumps(plan.to_json()))).mixing_padding == (f"./{name}",)
    found = []
    for piece_tokens in (math.inf, 0.0):  # in one piece, and in as many as there are lengths
        monkeypatch.setattr(workbench, "PIECE_TOKENS", {choose_device().type: piece_tokens})
        found.append(results(replace(things, cache_plan=plan), tmp_path / "1", unfreeze_depth=1))
    assert found[0] == found[1]


def test_a_row_that_holds_the_padding_token_needs_all_tokens(tmp_path):
    things = planned(tmp_path, "gpt2")
    assert things.cache_plan.boundaries[-1].layout == "last"
    table = read_table(things.rows)
    texts = ["red [PAD]", *table.column("input_0").to_pylist()[1:]]
    changed = tmp_path / "changed.arrow"
    write_table(table.set_column(0, "input_0", pa.array(texts)), changed)
    things = replace(things, rows=changed, rows_digest=file_digest(changed))
    assert plan_cache(request("gpt2"), things, "fp32", OFTEN).boundaries[-1].layout == "ragged"


def test_the_process_is_left_as_it_was(tmp_path):
    threads = torch.get_num_threads()
    planned(tmp_path, "bert", cpus=threads + 1)
    assert torch.get_num_threads() == threads
