"""Trials with stored states: the same results as without, and the same bits however the states come."""

import pickle
import random
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from autoft.data.files import file_digest
from autoft.kernel.boundary import cache as cache_module
from autoft.kernel.boundary.decide import plan_cache
from autoft.kernel.boundary.drop import drop_states
from autoft.kernel.boundary.plan import Boundary, CachePlan
from autoft.kernel.config import FineTuneConfig
from autoft.kernel.device import FORWARD_TOKENS
from autoft.kernel.study_inputs import StudyInputs
from autoft.kernel.workbench import Workbench
from autoft.spec.hyperparameters import Depth
from autoft.spec.read import read_spec
from autoft.study.pruner import expected_passes

from ..tiny import config, save_pretrained, study_inputs, write_rows

pytestmark = pytest.mark.usefixtures("reading_pays")
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


def planned(folder: Path, name: str, precision="fp32", cpus: int = 1, **changes) -> StudyInputs:
    source = replace(save_pretrained(name, folder / name), name=f"./{name}")
    things = study_inputs(folder, source, cpus=cpus)
    spec = request(name, **changes)
    return replace(things, cache_plan=plan_cache(spec, things, precision, expected_passes(spec)))


def results(things: StudyInputs, path: Path, context: Workbench | None = None, **changes: object):
    return results_of(context or Workbench(things), config(model=things.models[0].name, **changes), path)


def results_of(context: Workbench, trial: FineTuneConfig, path: Path):
    found = [dict(m.metrics) for m in context.fine_tune(trial, path)]
    return found, path.read_bytes()


def state_files(things: StudyInputs) -> list[Path]:
    return sorted(things.cache.glob("states-*.states"))


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_final_weights_agree_with_those_of_a_trial_without_a_cache(tmp_path, name, depth):
    things = planned(tmp_path, name)
    assert {(each.boundary, each.layout == "ragged") for each in things.cache_plan.boundaries} == {
        (1, True),
        (2, True),
        (3, False),
    }
    assert_agrees_without_a_cache(things, tmp_path / "7.safetensors", depth)


@pytest.mark.parametrize("depth", [0, 1, 2, 3, 4])
def test_final_weights_of_t5_agree_too(tmp_path, depth):
    # Depth 4 trains the encoder's top block, to which the first hands its position bias. Depths 1 and 2 cut
    # the decoder: the encoder's output is stored with the states there, and alone.
    assert_agrees_without_a_cache(with_t5(tmp_path), tmp_path / "7.safetensors", depth)


def with_t5(folder: Path) -> StudyInputs:
    """With a plan of four boundaries that does not depend on how fast the machine is."""
    source = replace(save_pretrained("t5", folder / "t5"), name="./t5")
    plan = CachePlan(
        (
            Boundary("./t5", 16, 2, "ragged", (16,), 0),
            Boundary("./t5", 16, 3, "ragged", (16,), 0, readers=(3, 4)),
            Boundary("./t5", 16, 5, "ragged", (32,), 0, encoder=3),
            Boundary("./t5", 16, 6, "last", (1, 16), 0),
        ),
        fill_tokens=FORWARD_TOKENS["cpu"],
    )
    return replace(study_inputs(folder, source), cache_plan=plan)


def assert_agrees_without_a_cache(things: StudyInputs, path: Path, depth: int) -> None:
    changes = {"unfreeze_depth": depth, "dropout": 0.0, "objective": "log_loss"}
    plain, _ = results(replace(things, cache_plan=CachePlan()), path, **changes)
    weights = load_file(path)
    cached, _ = results(things, path, **changes)
    # Six steps of 1e-3 move weights by up to 6e-3. States from other batches differ by some 1e-6, and AdamW
    # divides by the gradient's size, so where that is tiny, a difference in it counts in full.
    for key, value in load_file(path).items():
        assert (value - weights[key]).abs().mean() < 2e-5
    assert [m["log_loss"] for m in cached] == pytest.approx([m["log_loss"] for m in plain], rel=1e-4)
    assert len(state_files(things)) == len(things.cache_plan.boundaries)


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
        context = Workbench(things)
        for i in drawn.sample(range(len(trials)), len(trials)):
            stopped = context.fine_tune(config(model=things.models[0].name, **drawn.choice(trials)), path)
            next(stopped)
            stopped.close()
            assert results(things, path, context, **trials[i]) == alone[i]
            for file in state_files(things):
                if drawn.random() < 0.3:
                    file.unlink()
            if drawn.random() < 0.3:
                context = Workbench(things)


def test_random_trials_of_three_models_and_two_lengths_give_the_same_bits_in_any_order(tmp_path):
    each = [planned(tmp_path, name, max_length=[8, 16]) for name in ("bert", "gpt2")]
    each.append(with_t5(tmp_path))
    boundaries = tuple(kept for things in each for kept in things.cache_plan.boundaries)
    assert len(boundaries) == 2 * 2 * 3 + 4
    plans = [things.cache_plan for things in each]
    plan = CachePlan(
        boundaries,
        first_token={model: part for one in plans for model, part in one.first_token.items()},
        tables={model: table for one in plans for model, table in one.tables.items()},
        longest={model: tokens for one in plans for model, tokens in one.longest.items()},
        fill_tokens=FORWARD_TOKENS["cpu"],
    )
    assert (len(plan.first_token), len(plan.tables)) == (1, 2)  # BERT's; BERT's and GPT-2's
    things = replace(each[0], models=tuple(t.models[0] for t in each), cache_plan=plan)
    drawn = random.Random(11)
    asked = [
        *product(("./bert", "./gpt2"), (0, 2, "all"), (8, 16)),
        *product(["./t5"], (0, 1, 4, "all"), [16]),
    ]
    trials = [random_trial(drawn, *each) for each in asked]
    path = tmp_path / "7.safetensors"
    # Each in a process of its own as far as it can tell: with an empty cache.
    alone = [
        results_of(Workbench(replace(things, cache=tmp_path / f"alone-{i}")), trial, path)
        for i, trial in enumerate(trials)
    ]
    assert len({weights for _, weights in alone}) == len(trials)
    context = Workbench(things)
    for i in drawn.choices(range(len(trials)), k=2 * len(trials)):
        if drawn.random() < 0.6:
            # One that is stopped, of the same model: it leaves the most behind.
            other = drawn.choice([trial for trial in trials if trial.model == trials[i].model])
            stopped = context.fine_tune(other, tmp_path / "stopped.safetensors")
            next(stopped)
            stopped.close()
        assert results_of(context, trials[i], path) == alone[i], trials[i]


def test_lengths_above_the_longest_row_share_its_tokens_and_states_and_change_no_bit(tmp_path):
    things = planned(tmp_path, "bert", max_length=[8, 12, 14, 16])
    plan = things.cache_plan
    # FILLER words and a color: at most 9, and BERT's two special tokens.
    assert plan.longest == {"./bert": 11}
    assert {each.max_length for each in plan.boundaries} == {8, 11}
    assert "no row has more than 11 tokens, so a larger max_length is the same" in plan.notes
    context, path = Workbench(things), tmp_path / "7.safetensors"
    found = [results(things, path, context, unfreeze_depth=1, max_length=length) for length in (12, 16, 8)]
    assert found[0] == found[1] != found[2]
    assert len(state_files(things)) == 2 * 3  # lengths, boundaries
    fixed = planned(tmp_path / "fixed", "bert", max_length=16)
    assert fixed.cache_plan.longest == {}
    assert results(fixed, path, unfreeze_depth=1, max_length=16) == found[0]


def random_trial(drawn: random.Random, model: str, depth: Depth, max_length: int) -> FineTuneConfig:
    return config(
        model=model,
        unfreeze_depth=depth,
        max_length=max_length,
        learning_rate=10 ** drawn.uniform(-4, -2),
        batch_size=drawn.choice((5, 16)),
        dropout=drawn.uniform(0, 0.4),
        weight_decay=drawn.uniform(0, 0.3),
        lr_schedule=drawn.choice(("linear", "cosine", "constant")),
        label_smoothing=drawn.choice((0.0, 0.1)),
        epochs=1,
        measurements=2,
        seed=drawn.randrange(1000),
    )


@pytest.mark.parametrize(("name", "precision"), [("bert", "fp32"), ("bert", "bf16"), ("t5", "fp32")])
def test_states_are_the_same_from_the_rows_from_below_and_in_memory(tmp_path, monkeypatch, name, precision):
    things = with_t5(tmp_path) if name == "t5" else planned(tmp_path, name, precision)
    lowest = things.cache_plan.boundaries[0].boundary
    trial = {"unfreeze_depth": 0, "precision": precision}
    whole = results(things, tmp_path / "7.safetensors", **trial)
    content = {file: file.read_bytes() for file in state_files(things)}
    for file in content:
        if f"-{lowest}-ragged" not in file.name:
            file.unlink()
    begun_at = spied_fill(monkeypatch)
    assert results(things, tmp_path / "7.safetensors", **trial) == whole
    assert begun_at == [lowest]
    assert {file: file.read_bytes() for file in state_files(things)} == content
    for file in content:
        file.unlink()

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache_module.store, "writing", full_disk)
    assert results(things, tmp_path / "7.safetensors", **trial) == whole
    assert state_files(things) == []


def spied_fill(monkeypatch) -> list[int]:
    """The boundary at which each fill begins, 0 for the rows."""
    begun_at: list[int] = []

    def fill(*args):
        begun_at.append(args[6][0] if args[6] else 0)
        cache_module_fill(*args)

    cache_module_fill = cache_module.fill
    monkeypatch.setattr(cache_module, "fill", fill)
    return begun_at


FILL_TOGETHER = """
import pickle, sys, time
from pathlib import Path
from autoft.kernel.boundary import cache
from autoft.kernel.workbench import Workbench

folder, me = Path(sys.argv[1]), sys.argv[2]
things, trial = pickle.loads((folder / "task").read_bytes())
fill = cache.fill

def slow_fill(*args):
    with (folder / "fills").open("a") as file:
        file.write(me)
    time.sleep(2)  # whoever does not wait for the lock begins meanwhile
    fill(*args)

cache.fill = slow_fill
bench = Workbench(things)
(folder / f"{me}.ready").touch()
while len(list(folder.glob("*.ready"))) < 2:
    time.sleep(0.01)
list(bench.fine_tune(trial, folder / f"{me}.safetensors"))
"""


def test_of_two_processes_one_fills_and_the_other_waits_and_gets_the_same(tmp_path):
    things = planned(tmp_path, "bert")
    trial = config(model="./bert", unfreeze_depth=1)
    (tmp_path / "task").write_bytes(pickle.dumps((things, trial)))
    command = [sys.executable, "-c", FILL_TOGETHER, str(tmp_path)]
    processes = [subprocess.Popen([*command, me]) for me in "01"]
    assert [process.wait() for process in processes] == [0, 0]
    assert len((tmp_path / "fills").read_text()) == 1
    assert len(state_files(things)) == 3
    alone = results(replace(things, cache=tmp_path / "other"), tmp_path / "2.safetensors", unfreeze_depth=1)
    assert [(tmp_path / f"{me}.safetensors").read_bytes() for me in "01"] == [alone[1]] * 2
    assert leftovers(things) == []


def leftovers(things: StudyInputs) -> list[Path]:
    """What a fill writes before it takes its place."""
    return [file for file in things.cache.glob(".states*") if file.suffix != ".lock"]


FILL_AND_DIE = """
import os, pickle, signal, sys
from pathlib import Path
from autoft.kernel.boundary import fill
from autoft.kernel.workbench import Workbench

folder = Path(sys.argv[1])
things, trial = pickle.loads((folder / "task").read_bytes())
kept, calls = fill.kept, []

def deadly(*args):
    calls.append(args)
    if len(calls) == 5:  # of the second batch the lowest boundary is written, the next one not yet
        os.kill(os.getpid(), signal.SIGKILL)
    return kept(*args)

fill.kept = deadly
list(Workbench(things).fine_tune(trial, folder / "dead.safetensors"))
"""


def test_what_a_killed_fill_has_written_is_never_read_and_goes_with_the_next_fill(tmp_path):
    things = planned(tmp_path, "bert")
    things = replace(things, cache_plan=replace(things.cache_plan, fill_tokens=96))  # at least six batches
    trial = config(model="./bert", unfreeze_depth=1)
    (tmp_path / "task").write_bytes(pickle.dumps((things, trial)))
    died = subprocess.run([sys.executable, "-c", FILL_AND_DIE, str(tmp_path)], check=False)
    assert died.returncode == -signal.SIGKILL
    assert state_files(things) == []
    assert len(leftovers(things)) == 3
    fresh = replace(things, cache=tmp_path / "other")
    path = tmp_path / "7.safetensors"
    assert results(things, path, unfreeze_depth=1) == results(fresh, path, unfreeze_depth=1)
    assert [file.read_bytes() for file in state_files(things)] == [
        file.read_bytes() for file in state_files(fresh)
    ]
    assert leftovers(things) == []


def test_dropped_states_leave_nothing_and_come_again(tmp_path):
    things = planned(tmp_path, "bert")
    path = tmp_path / "7.safetensors"
    whole = results(things, path, unfreeze_depth=1)
    content = {file: file.read_bytes() for file in state_files(things)}
    (things.cache / f".{next(iter(content)).name}.dead").touch()
    drop_states(things.cache)
    assert [file for file in things.cache.iterdir() if "states" in file.name] == []
    assert results(things, path, unfreeze_depth=1) == whole
    assert {file: file.read_bytes() for file in state_files(things)} == content


def test_damaged_states_are_computed_again(tmp_path):
    things = planned(tmp_path, "bert")
    whole = results(things, tmp_path / "7.safetensors", unfreeze_depth=1)
    content = {file: file.read_bytes() for file in state_files(things)}
    for file, good in content.items():
        file.write_bytes(good[:-3] + b"bad")
    assert results(things, tmp_path / "7.safetensors", unfreeze_depth=1) == whole
    assert {file: file.read_bytes() for file in state_files(things)} == content


def test_other_rows_and_another_tokenizer_have_other_states_and_the_old_ones_go(tmp_path):
    things = planned(tmp_path, "bert")
    results(things, tmp_path / "7.safetensors", unfreeze_depth=1)
    first = state_files(things)
    rows = write_rows(tmp_path, train_rows=40)
    changed = replace(things, rows_digest=file_digest(rows))
    are_as_with_an_empty_cache(changed, tmp_path)
    second = state_files(things)
    assert len(second) == len(first) == 3 and not set(first) & set(second)
    tokenizer = tmp_path / "bert" / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text().replace('"word3"', '"word33"'))
    are_as_with_an_empty_cache(changed, tmp_path)
    assert not set(state_files(things)) & set(second)


def are_as_with_an_empty_cache(things: StudyInputs, folder: Path) -> None:
    path = folder / "7.safetensors"
    with tempfile.TemporaryDirectory(dir=folder) as empty:
        fresh = results(replace(things, cache=Path(empty)), path, unfreeze_depth=1)
    assert results(things, path, unfreeze_depth=1) == fresh


def test_other_weights_have_other_states(tmp_path):
    things = planned(tmp_path, "bert")
    results(things, tmp_path / "7.safetensors", unfreeze_depth=1)
    first = state_files(things)
    weights = tmp_path / "bert" / "model.safetensors"
    save_file({k: v + 0.01 for k, v in load_file(weights).items()}, weights, metadata={"format": "pt"})
    results(things, tmp_path / "7.safetensors", unfreeze_depth=1)
    assert not set(state_files(things)) & set(first)


@pytest.mark.parametrize("kind", ["*.states", "encoded-*.arrow"])
def test_files_that_are_cut_at_any_byte_are_made_again_and_it_is_said(tmp_path, caplog, kind):
    things = planned(tmp_path, "bert")
    expected = results(things, tmp_path / "a.safetensors", unfreeze_depth=1)
    files = sorted(things.cache.glob(kind))
    assert files
    whole = {path: path.read_bytes() for path in files}
    rng = random.Random(5)
    for _ in range(4):
        for path in files:
            path.unlink()  # as a kill leaves it: another file, for the old one may be mapped
            path.write_bytes(whole[path][: rng.randrange(len(whole[path]))])
        caplog.clear()
        assert results(things, tmp_path / "a.safetensors", unfreeze_depth=1) == expected
        assert {path: path.read_bytes() for path in files} == whole
        assert [path.name for path in files if f"{path.name}: the file is damaged" not in caplog.text] == []
