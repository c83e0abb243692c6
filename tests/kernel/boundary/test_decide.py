import json
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers.models.t5.modeling_t5 import T5Block

from autoft.data.encode import encoded_path
from autoft.data.files import file_digest, read_table, write_table
from autoft.kernel.boundary import decide
from autoft.kernel.boundary.decide import plan_cache
from autoft.kernel.boundary.left_out import LeftOut, sentences
from autoft.kernel.boundary.plan import CachePlan

from ..tiny import tiny_tokenizer
from .test_cache import planned, request


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
    plan = plan_cache(request("bert"), things, "fp32")
    assert plan.tables == {}
    assert plan.boundaries == things.cache_plan.boundaries


@pytest.fixture
def measured(monkeypatch):
    """Has the probe measure these seconds of computing for the depths 0, 1 and 2, and none of reading."""

    def set_to(*compute_s):
        seconds = cycle([s for each in compute_s for s in (each, 0.0)])
        monkeypatch.setattr(decide, "_fastest", lambda action, device, times=3: next(seconds))

    return set_to


def within(room, things):
    spec = request("bert")
    return plan_cache(replace(spec, resources=replace(spec.resources, cache=room)), things, "fp32")


def test_what_saves_least_for_its_bytes_is_left_out_first(tmp_path, measured):
    measured(3.0, 2.0, 1.0)
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
    measured(3.0, 1.0, 2.0)  # more blocks lie below the trained one of depth 1 than below the two of depth 2
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


@pytest.mark.parametrize("read_s", [0.5, 1.5])
def test_blocks_that_still_run_below_a_boundary_count_as_reading_and_are_not_spared(
    tmp_path, monkeypatch, read_s
):
    ran: list[int] = []
    block_forward = T5Block.forward
    monkeypatch.setattr(T5Block, "forward", lambda *args, **kw: ran.append(1) or block_forward(*args, **kw))

    def a_second_a_block(action, device):
        ran.clear()
        action()
        return len(ran) or read_s

    monkeypatch.setattr(decide, "_fastest", a_second_a_block)
    # Boundaries 5, 4 and 3 of three blocks and three: at 5, four run still; at 4, all do.
    plan = planned(tmp_path, "t5", unfreeze_depth=[1, 2, 3]).cache_plan
    assert any("depth 2" in note and "all frozen blocks have to run" in note for note in plan.notes)
    if read_s == 1.5:
        assert [each.boundary for each in plan.boundaries] == [3]
        assert any("reading takes 5500.00 ms, computing 5000.00 ms" in note for note in plan.notes)
        return
    three, five = plan.boundaries
    assert (three.boundary, five.boundary) == (3, 5)
    assert three.bytes == five.bytes
    monkeypatch.setattr(decide, "disk_usage", lambda _: SimpleNamespace(free=2 * three.bytes))
    only_one = planned(tmp_path, "t5", unfreeze_depth=[1, 2, 3]).cache_plan
    assert only_one.boundaries == (three,)  # it spares three blocks, the other one spares one


def test_a_cache_of_0_keeps_nothing(tmp_path):
    plan = planned(tmp_path, "bert", cache=0).cache_plan
    assert plan.boundaries == ()
    assert plan.notes == ("resources.cache is 0",)
    assert plan.first_token == {"./bert": "bert.encoder.layer.2.attention.output"}  # needs no room


def test_a_boundary_that_is_read_less_than_once_is_not_kept(tmp_path):
    plan = planned(tmp_path, "bert", trials=3, epochs=1).cache_plan
    assert plan.boundaries == ()
    assert "nothing at depth 0, 1, 2: too few trials would read it" in plan.notes


def test_of_lengths_that_are_read_too_seldom_only_the_longest_is_tokenised(tmp_path):
    things = planned(tmp_path, "bert", trials=6, max_length={"low": 8, "high": 16})
    assert things.cache_plan.notes == (
        "nothing at depth 0, 1, 2: too few trials would read it",
        "nothing at depth all: the embeddings are trained",
    )
    # But the longest: with its rows it was seen what the head reads.
    longest = encoded_path(things.cache, things.rows_digest, tiny_tokenizer(), 16)
    assert list(things.cache.glob("*.arrow")) == [longest]


def test_lengths_and_models_are_named_where_it_depends_on_them():
    def at(model, max_length, depth):
        return LeftOut(model, max_length, depth, "it is full")

    assert sentences([at("a", n, d) for n in (32, 64) for d in (0, 1)], models=1, lengths=3) == [
        "nothing at max_length 32, 64 and depth 0, 1: it is full"
    ]
    assert sentences([at("a", n, 0) for n in range(32, 64)] + [at("b", 32, 1)], models=2, lengths=33) == [
        "nothing of a at max_length 32 to 63 (32 values) and depth 0: it is full",
        "nothing of b at max_length 32 and depth 1: it is full",
    ]


def test_where_reading_costs_more_than_computing_it_is_computed(tmp_path, monkeypatch):
    seconds = iter((1.0, 2.0) * 10)
    monkeypatch.setattr(decide, "_fastest", lambda action, device, times=3: next(seconds))
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
    monkeypatch.setattr(decide, "difference", lambda *_: "the moon is full")
    plan = planned(tmp_path, "bert").cache_plan
    assert plan.boundaries == ()
    assert plan.warnings == ("nothing at depth 0, 1, 2: the moon is full",)


def test_a_row_that_holds_the_padding_token_needs_all_tokens(tmp_path):
    things = planned(tmp_path, "gpt2")
    assert things.cache_plan.boundaries[-1].reads == "last"
    table = read_table(things.rows)
    texts = ["red [PAD]", *table.column("input_0").to_pylist()[1:]]
    changed = tmp_path / "changed.arrow"
    write_table(table.set_column(0, "input_0", pa.array(texts)), changed)
    things = replace(things, rows=changed, rows_digest=file_digest(changed))
    assert plan_cache(request("gpt2"), things, "fp32").boundaries[-1].reads == "all"


def test_the_process_is_left_as_it_was(tmp_path):
    threads = torch.get_num_threads()
    planned(tmp_path, "bert", cpus=threads + 1)
    assert torch.get_num_threads() == threads
