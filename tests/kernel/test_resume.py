"""A trial that is stopped anywhere goes on in another process as if nothing had happened.

`conformance` stops one of every architecture.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from autoft.kernel import loop, resume_state
from autoft.kernel.measurement import Measurement
from autoft.kernel.resume import Resume
from autoft.kernel.workbench import Workbench
from autoft.spec.hyperparameters import COMMON

from .tiny import config, save_pretrained, study_inputs

LONG = {"epochs": 4, "measurements": 6, "dropout": 0.3}
IMPATIENT = {**LONG, "learning_rate": 1e-2, "objective": "log_loss", "early_stopping": 2.0}
"""At such a rate the loss of the tiny model soon rises; it ends three measurements after it was least."""


@pytest.fixture(autouse=True)
def tick_at_every_step(monkeypatch):
    monkeypatch.setattr(loop, "TICK_S", 0.0)


def uninterrupted(things, path, **changes):
    found = list(Workbench(things).fine_tune(config(**changes), path))
    return [(m.index, m.step, dict(m.metrics), m.error) for m in found], load_file(path)


def same_tensors(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def interrupted(things, folder, stop_after, **changes):
    """Closes the trial after so many items (measurements and ticks), each time in another workbench."""
    seen, attempt = {}, 0
    while True:
        attempt += 1
        paths = [folder / f"{n}.resume" for n in range(attempt, 0, -1)]
        resume = Resume(paths[0], tuple(paths[1:]), len(seen))
        trial = Workbench(things).fine_tune(config(**changes), folder / f"{attempt}.safetensors", resume)
        for count, one in enumerate(trial, start=1):
            if one is not None:
                seen[one.index] = (one.index, one.step, dict(one.metrics), one.error, one.checkpoint)
                if one.last:
                    best = [each[4] for each in seen.values() if each[4]][-1]
                    return [each[:4] for each in seen.values()], load_file(best), attempt
            if count == stop_after:
                trial.close()
                break


@pytest.mark.parametrize("depth", [0, 2, "all"])
def test_stopped_after_any_number_of_steps_it_ends_with_the_same_bits(tmp_path, depth):
    things = study_inputs(tmp_path, save_pretrained("bert", tmp_path / "bert"))
    trial = {"unfreeze_depth": depth, **LONG}
    expected = uninterrupted(things, tmp_path / "whole.safetensors", **trial)
    for stop_after in (1, 3, 5):
        folder = tmp_path / str(stop_after)
        measured, tensors, attempts = interrupted(things, folder, stop_after, **trial)
        assert attempts > 2
        assert measured == expected[0]
        assert same_tensors(tensors, expected[1])


@pytest.mark.parametrize("optimizer", [each for each in COMMON["optimizer"].choices if each != "adamw"])
def test_so_it_does_with_every_optimizer_and_rates_that_differ_by_block(tmp_path, optimizer):
    things = study_inputs(tmp_path, save_pretrained("bert", tmp_path / "bert"))
    trial = {"optimizer": optimizer, "layer_decay": 0.8, "learning_rate": 0.01, **LONG}
    expected = uninterrupted(things, tmp_path / "whole.safetensors", **trial)
    measured, tensors, attempts = interrupted(things, tmp_path, 3, **trial)
    assert attempts > 2
    assert measured == expected[0]
    assert same_tensors(tensors, expected[1])


@pytest.mark.parametrize("stop_after", [1, 3, 5])
def test_early_stopping_ends_it_at_the_same_step_however_often_it_was_stopped(tmp_path, stop_after):
    things = study_inputs(tmp_path, save_pretrained("bert", tmp_path / "bert"))
    expected = uninterrupted(things, tmp_path / "whole.safetensors", **IMPATIENT)
    assert len(expected[0]) < LONG["measurements"]
    measured, tensors, attempts = interrupted(things, tmp_path, stop_after, **IMPATIENT)
    assert attempts > 1
    assert measured == expected[0]
    assert same_tensors(tensors, expected[1])


def test_a_trial_that_is_measured_once_goes_on_from_where_it_was_saved_on_the_way(tmp_path, monkeypatch):
    things = study_inputs(tmp_path, save_pretrained("bert", tmp_path / "bert"))
    once = {**LONG, "ends_at": 5 / 6}
    expected = uninterrupted(things, tmp_path / "whole.safetensors", **once)
    monkeypatch.setattr(loop, "TICK_S", 1e9)  # it can be closed where it is saved only
    measured, tensors, attempts = interrupted(things, tmp_path, 1, **once)
    assert attempts == 5
    assert measured == expected[0]
    assert same_tensors(tensors, expected[1])


def test_a_measurement_that_nobody_has_heard_of_is_given_again(tmp_path):
    things = study_inputs(tmp_path, save_pretrained("bert", tmp_path / "bert"))
    first = Resume(tmp_path / "1.resume")
    trial = Workbench(things).fine_tune(config(**LONG), tmp_path / "1.safetensors", first)
    heard = [m for m in (next(trial) for _ in range(9)) if m is not None]
    trial.close()
    assert len(heard) >= 2
    again = Resume(tmp_path / "2.resume", (first.path,), measured=len(heard) - 1)
    trial = Workbench(things).fine_tune(config(**LONG), tmp_path / "2.safetensors", again)
    assert next(trial) == heard[-1]
    assert heard[-1].error is not None


def test_a_measurement_in_a_file_of_an_earlier_version_has_no_error_and_is_not_the_last():
    plain = resume_state._plain(Measurement(1, 0.5, 10, 1.0, {"macro_f1": 0.5}, 2.0, error=0.01))
    assert resume_state._measurement(json.loads(json.dumps(plain))).error == 0.01
    del plain["error"], plain["last"]
    found = resume_state._measurement(plain)
    assert (found.error, found.last) == (None, False)


def test_a_place_is_written_at_each_measurement_and_stands_until_it_is_deleted(tmp_path):
    things = study_inputs(tmp_path, save_pretrained("bert", tmp_path / "bert"))
    place = tmp_path / "1.resume"
    context = Workbench(things)
    for measurement in context.fine_tune(config(**LONG), tmp_path / "1.safetensors", Resume(place)):
        if measurement is not None and not measurement.last:
            context._writer.finish()
            with safe_open(place, framework="pt") as file:
                assert json.loads(file.metadata()["state"])["step"] == measurement.step
    assert place.exists()  # until the last measurement is recorded, which is the driver's to know


@pytest.mark.parametrize("cut", [0, 7, 100, 5000, -1])
def test_a_place_that_is_cut_short_is_not_used_and_the_one_before_it_is(tmp_path, capsys, cut):
    things = study_inputs(tmp_path, save_pretrained("bert", tmp_path / "bert"))
    expected = uninterrupted(things, tmp_path / "whole.safetensors", **LONG)
    for attempt, items in ((1, 5), (2, 5)):
        earlier = (tmp_path / "1.resume",) if attempt == 2 else ()
        resume = Resume(tmp_path / f"{attempt}.resume", earlier)
        trial = Workbench(things).fine_tune(config(**LONG), tmp_path / f"{attempt}.safetensors", resume)
        for _ in range(items):
            next(trial)
        trial.close()
    damaged = tmp_path / "2.resume"
    damaged.write_bytes(damaged.read_bytes()[:cut])
    resume = Resume(tmp_path / "3.resume", (damaged, tmp_path / "1.resume"), measured=0)
    trial = Workbench(things).fine_tune(config(**LONG), tmp_path / "3.safetensors", resume)
    found = [(m.index, m.step, dict(m.metrics), m.error) for m in trial if m is not None]
    assert found == expected[0]
    said = capsys.readouterr().out
    assert "No state to go on from in 2.resume: it is damaged" in said
    assert "The trial goes on from step" in said


def test_the_place_of_another_trial_is_not_taken(tmp_path, capsys):
    things = study_inputs(tmp_path, save_pretrained("bert", tmp_path / "bert"))
    trial = Workbench(things).fine_tune(config(**LONG), tmp_path / "1.safetensors", Resume(tmp_path / "1.r"))
    next(trial)
    trial.close()
    other = config(**{**LONG, "learning_rate": 3e-4})
    resume = Resume(tmp_path / "2.r", (tmp_path / "1.r",))
    trial = Workbench(things).fine_tune(other, tmp_path / "2.safetensors", resume)
    steps = [m.step for m in trial if m is not None]
    assert steps == [m.step for m in Workbench(things).fine_tune(other, tmp_path / "3.safetensors")]
    assert "of another trial" in capsys.readouterr().out


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from tests.kernel.tiny import config, study_inputs
from autoft.kernel.pretrained import ModelSource
from autoft.kernel.resume import Resume
from autoft.kernel.workbench import Workbench
from autoft.spec.hyperparameters import COMMON
folder = Path({folder!r})
things = study_inputs(folder, ModelSource("bert", str(folder / "bert")))
resume = Resume(folder / "1.resume")
for m in Workbench(things).fine_tune(config(**{trial!r}), folder / "1.safetensors", resume):
    if m is not None and m.index == 3:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("given", [LONG, IMPATIENT])
def test_killed_in_the_middle_it_ends_with_the_same_bits(tmp_path, given):
    things = study_inputs(tmp_path, save_pretrained("bert", tmp_path / "bert"))
    expected = uninterrupted(things, tmp_path / "whole.safetensors", **given)
    repository = Path(__file__).parents[2]
    script = KILLED.format(tests=str(repository), folder=str(tmp_path), trial=given)
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    resume = Resume(tmp_path / "2.resume", (tmp_path / "1.resume",), measured=2)
    trial = Workbench(things).fine_tune(config(**given), tmp_path / "2.safetensors", resume)
    found = [(m.index, m.step, dict(m.metrics), m.error) for m in trial if m is not None]
    assert len(found) >= len(expected[0]) - 2  # the third may be trained again, or given again as it was
    assert found == expected[0][-len(found) :]
