"""Trials with stored states: the same results as without, and the same bits however the states come."""

import pickle
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from autoft.data.files import file_digest
from autoft.kernel.boundary import cache as cache_module
from autoft.kernel.boundary.decide import plan_cache
from autoft.kernel.boundary.plan import CachePlan
from autoft.kernel.workbench import Materials, Workbench
from autoft.spec.read import read_spec

from ..tiny import config, materials, save_pretrained, write_rows

ARCHITECTURES = (
    "bert",
    "distilbert",
    "roberta",
    "deberta-v2",
    "electra",
    "mpnet",
    "modernbert",
    "gpt2",
    "llama",
)
CACHED = ("bert", "gpt2")


def request(name: str, trials: int = 60, cache: object = "20GB", **space: object):
    return read_spec(
        {
            "study": "s",
            "task": "text-classification",
            "model": f"./{name}",
            "data": {"path": "rows.csv", "inputs": "text", "target": "label"},
            "objective": "macro_f1",
            "space": {"unfreeze_depth": [0, 1, 2, "all"], "max_length": 16, "epochs": 2, **space},
            "budget": {"trials": trials},
            "resources": {"cache": cache},
        }
    )


def planned(folder: Path, name: str, precision="fp32", cpus: int = 1, **changes) -> Materials:
    source = replace(save_pretrained(name, folder / name), name=f"./{name}")
    things = materials(folder, source, cpus=cpus)
    return replace(things, cache_plan=plan_cache(request(name, **changes), things, precision))


def results(things: Materials, path: Path, bench: Workbench | None = None, **changes: object):
    trial = config(model=things.models[0].name, **changes)
    found = [dict(m.metrics) for m in (bench or Workbench(things)).fine_tune(trial, path)]
    return found, path.read_bytes()


def state_files(things: Materials) -> list[Path]:
    return sorted(things.cache.glob("states-*.states"))


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_final_weights_agree_with_those_of_a_trial_without_a_cache(tmp_path, name, depth):
    things = planned(tmp_path, name)
    assert {(each.boundary, each.reads == "all") for each in things.cache_plan.boundaries} == {
        (1, True),
        (2, True),
        (3, False),
    }
    path = tmp_path / "7.safetensors"
    changes = {"unfreeze_depth": depth, "dropout": 0.0, "objective": "log_loss"}
    plain, _ = results(replace(things, cache_plan=CachePlan()), path, **changes)
    weights = load_file(path)
    cached, _ = results(things, path, **changes)
    # Six steps of 1e-3 move weights by up to 6e-3. States from other batches differ by some 1e-6, and AdamW
    # divides by the gradient's size, so where that is tiny, a difference in it counts in full.
    for key, value in load_file(path).items():
        assert (value - weights[key]).abs().mean() < 2e-5
    assert [m["log_loss"] for m in cached] == pytest.approx([m["log_loss"] for m in plain], rel=1e-4)
    assert len(state_files(things)) == 6


@pytest.mark.parametrize("name", CACHED)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_trial_gives_the_same_bits_in_any_order_with_caches_deleted_in_between(tmp_path, name, precision):
    things = planned(tmp_path, name, precision)
    path = tmp_path / "7.safetensors"
    trials = [
        {"unfreeze_depth": depth, "seed": seed, "dropout": 0.2, "measurements": 2, "precision": precision}
        for depth in (0, 1, 2, 3, "all")
        for seed in (1, 2)
    ]
    alone = []
    for trial in trials:
        alone.append(results(things, path, **trial))
        for file in state_files(things):
            file.unlink()
    drawn = random.Random(5)
    for _ in range(2):
        bench = Workbench(things)
        for i in drawn.sample(range(len(trials)), len(trials)):
            stopped = bench.fine_tune(config(model=things.models[0].name, **drawn.choice(trials)), path)
            next(stopped)
            stopped.close()
            assert results(things, path, bench, **trials[i]) == alone[i]
            for file in state_files(things):
                if drawn.random() < 0.3:
                    file.unlink()
            if drawn.random() < 0.3:
                bench = Workbench(things)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_states_are_the_same_from_the_rows_from_below_and_in_memory(tmp_path, monkeypatch, precision):
    things = planned(tmp_path, "bert", precision)
    trial = {"unfreeze_depth": 0, "precision": precision}
    whole = results(things, tmp_path / "7.safetensors", **trial)
    content = {file: file.read_bytes() for file in state_files(things)}
    for file in content:
        if "-1-all" not in file.name:
            file.unlink()
    assert results(things, tmp_path / "7.safetensors", **trial) == whole
    assert {file: file.read_bytes() for file in state_files(things)} == content
    for file in content:
        file.unlink()

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache_module.store, "writing", full_disk)
    assert results(things, tmp_path / "7.safetensors", **trial) == whole
    assert state_files(things) == []


FILL = """
import os, pickle, sys
from pathlib import Path
from autoft.kernel.workbench import Workbench
things, trial = pickle.loads(Path(sys.argv[1]).read_bytes())
children = []
for path in sys.argv[2:]:  # after the imports, which take seconds: so they begin at the same moment
    children.append(os.fork())
    if children[-1] == 0:
        list(Workbench(things).fine_tune(trial, Path(path)))
        sys.exit()
sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""


def test_two_processes_that_fill_at_once_get_the_same(tmp_path):
    things = planned(tmp_path, "bert")
    trial = config(model="./bert", unfreeze_depth=1)
    task = tmp_path / "task"
    task.write_bytes(pickle.dumps((things, trial)))
    paths = [tmp_path / f"{i}.safetensors" for i in range(2)]
    subprocess.run([sys.executable, "-c", FILL, str(task), *map(str, paths)], check=True)
    assert len(state_files(things)) == 6
    alone = results(things, tmp_path / "2.safetensors", unfreeze_depth=1)[1]
    assert [path.read_bytes() for path in paths] == [alone, alone]
    assert not [file for file in things.cache.glob(".states*") if file.suffix != ".lock"]


def test_damaged_states_are_computed_again(tmp_path):
    things = planned(tmp_path, "bert")
    whole = results(things, tmp_path / "7.safetensors", unfreeze_depth=1)
    content = {file: file.read_bytes() for file in state_files(things)}
    for file, good in content.items():
        file.write_bytes(good[:-3] + b"bad")
    assert results(things, tmp_path / "7.safetensors", unfreeze_depth=1) == whole
    assert {file: file.read_bytes() for file in state_files(things)} == content


def test_other_rows_and_another_tokeniser_have_other_states_and_the_old_ones_go(tmp_path):
    things = planned(tmp_path, "bert")
    results(things, tmp_path / "7.safetensors", unfreeze_depth=1)
    first = state_files(things)
    rows = write_rows(tmp_path, train_rows=40)
    changed = replace(things, rows_digest=file_digest(rows))
    results(changed, tmp_path / "7.safetensors", unfreeze_depth=1)
    second = state_files(things)
    assert len(second) == len(first) == 6 and not set(first) & set(second)
    tokeniser = tmp_path / "bert" / "tokenizer.json"
    tokeniser.write_text(tokeniser.read_text().replace('"word3"', '"word33"'))
    results(changed, tmp_path / "7.safetensors", unfreeze_depth=1)
    assert not set(state_files(things)) & set(second)


def test_other_weights_have_other_states(tmp_path):
    things = planned(tmp_path, "bert")
    results(things, tmp_path / "7.safetensors", unfreeze_depth=1)
    first = state_files(things)
    weights = tmp_path / "bert" / "model.safetensors"
    save_file({k: v + 0.01 for k, v in load_file(weights).items()}, weights, metadata={"format": "pt"})
    results(things, tmp_path / "7.safetensors", unfreeze_depth=1)
    assert not set(state_files(things)) & set(first)
