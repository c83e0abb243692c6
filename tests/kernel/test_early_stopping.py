"""A trial ends at the measurement at which its objective has not improved for `early_stopping` epochs."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from autoft.kernel.early_stopping import out_of_patience
from autoft.kernel.workbench import Workbench

from .tiny import config, save_pretrained, study_inputs

EIGHT = {"epochs": 4, "measurements": 8}
"""One measurement every half epoch, which has 3 steps."""


@pytest.fixture
def bench(tmp_path):
    sources = [save_pretrained(name, tmp_path / name) for name in ("bert", "gpt2")]
    return Workbench(study_inputs(tmp_path, *sources))


@pytest.mark.parametrize(
    ("patience", "epochs", "measurements", "ends_after"),
    [
        (0, 4, 8, None),  # off
        (0.1, 4, 8, 1),  # no trial can end between two measurements
        (1, 4, 8, 2),
        (1.2, 4, 8, 3),
        (4, 4, 8, 8),
        (1.1, 11, 10, 1),  # 1.1 * 10 is more than 11 in floats
        (0.3, 1, 10, 3),
        (1, 20, 12, 1),  # measured every 1.7 epochs
    ],
)
def test_the_patience_is_in_epochs_and_rounded_up_to_measurements(patience, epochs, measurements, ends_after):
    trial = config(early_stopping=patience, epochs=epochs)
    ends = [n for n in range(measurements + 1) if out_of_patience(n, measurements, trial)]
    assert ends == ([] if ends_after is None else list(range(ends_after, measurements + 1)))


def test_a_trial_that_never_improves_ends_after_its_first_measurement_and_the_patience(bench, tmp_path):
    still = config(learning_rate=1e-12, early_stopping=1.0, **EIGHT)  # predicts the same all along
    found = list(bench.fine_tune(still, tmp_path / "7.safetensors"))
    assert [m.checkpoint is not None for m in found] == [True, False, False]
    assert [m.last for m in found] == [False, False, True]
    # ceil(3 * 12 / 8) = 5 steps of 12; the fraction is still that of the whole budget.
    assert (found[-1].step, found[-1].epoch, found[-1].fraction) == (5, 5 / 3, 3 / 8)


@pytest.mark.parametrize("objective", ["macro_f1", "log_loss"])
@pytest.mark.parametrize("patience", [1, 2, 3])
def test_until_it_ends_it_is_the_whole_trial_and_its_model_is_that_of_its_best(
    bench, tmp_path, objective, patience
):
    trial = config(model="gpt2", unfreeze_depth=2, learning_rate=1e-2, objective=objective, **EIGHT)
    whole = list(bench.fine_tune(trial, tmp_path / "whole.safetensors"))
    assert [m.last for m in whole] == [False] * 7 + [True]
    best = 0
    for at, each in enumerate(whole):
        sign = 1 if objective == "macro_f1" else -1
        if sign * each.metrics[objective] > sign * whole[best].metrics[objective]:
            best = at
        if at - best == patience:
            break

    path = tmp_path / "stopped.safetensors"
    stopped = list(bench.fine_tune(replace(trial, early_stopping=patience / 2), path))
    assert [told(m) for m in stopped] == [told(m) for m in whole[: at + 1]]  # also of the same learning rate
    assert [m.last for m in stopped] == [False] * at + [True]
    until_best = bench.fine_tune(trial, tmp_path / "best.safetensors")
    next(m for m in until_best if m.index == best + 1)
    until_best.close()
    wanted, made = load_file(tmp_path / "best.safetensors"), load_file(path)
    assert wanted.keys() == made.keys()
    assert all(torch.equal(wanted[name], made[name]) for name in wanted)


def test_a_patience_longer_than_the_trial_changes_nothing(bench, tmp_path):
    whole = [told(m) for m in bench.fine_tune(config(**EIGHT), tmp_path / "a.safetensors")]
    patient = config(early_stopping=100.0, **EIGHT)
    assert [told(m) for m in bench.fine_tune(patient, tmp_path / "b.safetensors")] == whole
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_the_next_trial_in_the_process_knows_nothing_of_it(bench, tmp_path):
    before = [told(m) for m in bench.fine_tune(config(**EIGHT), tmp_path / "7.safetensors")]
    list(
        bench.fine_tune(config(learning_rate=1e-12, early_stopping=0.5, **EIGHT), tmp_path / "8.safetensors")
    )
    assert [told(m) for m in bench.fine_tune(config(**EIGHT), tmp_path / "7.safetensors")] == before


def told(one):
    """What does not depend on the clock, nor on whether it is the last one."""
    return one.index, one.fraction, one.step, one.epoch, dict(one.metrics), one.error, bool(one.checkpoint)
