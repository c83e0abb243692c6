import json
from dataclasses import replace
from types import SimpleNamespace

import pyarrow as pa
import pytest
import torch
from transformers.models.t5.modeling_t5 import T5Block

from autoft.data.files import file_digest, read_table, write_table
from autoft.kernel.boundary import decide
from autoft.kernel.boundary.decide import plan_cache
from autoft.kernel.boundary.plan import CachePlan

from ..tiny import materials, save_pretrained
from .test_cache import planned, request


def test_a_plan_is_json_and_comes_back(tmp_path):
    plan = planned(tmp_path, "bert").cache_plan
    assert CachePlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    # 68 rows; 16 numbers of 4 bytes a token, and one token of each row for the head.
    assert [each.bytes for each in plan.boundaries][-1] == 68 * 16 * 4
    assert any("the embeddings are trained" in note for note in plan.notes)


def test_what_saves_least_for_its_bytes_is_left_out_first(tmp_path):
    whole = planned(tmp_path, "bert").cache_plan
    one, two, three = whole.boundaries
    things = materials(tmp_path, replace(save_pretrained("bert", tmp_path / "bert"), name="./bert"))
    both = two.bytes + three.bytes
    for room, kept in ((both, (two, three)), (both - 1, (three,)), (three.bytes - 1, ())):
        spec = request("bert")
        spec = replace(spec, resources=replace(spec.resources, cache=room))
        plan = plan_cache(spec, things, "fp32")
        assert plan.boundaries == kept
        assert sum("no room" in note for note in plan.notes) == 3 - len(kept)
    assert one.bytes == two.bytes


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
    assert any("unfreeze_depth 2" in note and "all frozen blocks have to run" in note for note in plan.notes)
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
    assert planned(tmp_path, "bert", cache=0).cache_plan == CachePlan(notes=("resources.cache is 0",))


def test_a_boundary_that_is_read_less_than_once_is_not_kept(tmp_path):
    plan = planned(tmp_path, "bert", trials=3, epochs=1).cache_plan
    assert plan.boundaries == ()
    assert any("too few trials" in note for note in plan.notes)


def test_where_reading_costs_more_than_computing_it_is_computed(tmp_path, monkeypatch):
    seconds = iter((1.0, 2.0) * 10)
    monkeypatch.setattr(decide, "_fastest", lambda action, device, times=3: next(seconds))
    plan = planned(tmp_path, "bert").cache_plan
    assert plan.boundaries == ()
    assert any("reading takes 2000.00 ms, computing 1000.00 ms" in note for note in plan.notes)


def test_albert_keeps_nothing_and_says_why(tmp_path):
    plan = planned(tmp_path, "albert", unfreeze_depth=[0, "all"]).cache_plan
    assert plan.boundaries == ()
    assert any("shared parameters" in note for note in plan.notes)


def test_a_difference_turns_the_cache_off_with_a_warning(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(decide, "difference", lambda *_: "the moon is full")
    plan = planned(tmp_path, "bert").cache_plan
    assert plan.boundaries == ()
    assert "no states are kept, the moon is full" in caplog.text


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
