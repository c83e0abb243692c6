import math

import pytest
import torch

from autoft.kernel.blocks import trained_parameters
from autoft.kernel.optimizer import (
    CapturableAdamW,
    build_optimizer,
    learning_rate,
    new_moments,
    set_rate,
)
from autoft.kernel.optimizer import rates as group_rates
from autoft.kernel.step_numbers import StepNumbers
from autoft.spec.hyperparameters import COMMON

from .tiny import anatomy_of, config, tiny_model


def rates(steps: int, **changes: object) -> list[float]:
    return [learning_rate(step, steps, config(learning_rate=1.0, **changes)) for step in range(1, steps + 1)]


def test_linear_without_warmup_starts_at_the_peak_and_ends_one_step_above_0():
    assert rates(4, warmup_ratio=0.0) == [1.0, 0.75, 0.5, 0.25]


def test_warmup_rises_in_equal_steps_to_the_peak():
    # 10 steps, 4 of warmup: fifths up to the peak at the fifth update, then sixths down.
    expected = [0.2, 0.4, 0.6, 0.8, 1.0, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]
    assert rates(10, warmup_ratio=0.4) == pytest.approx(expected)


def test_cosine_is_halfway_down_at_half_time():
    found = rates(4, warmup_ratio=0.0, lr_schedule="cosine")
    assert found == pytest.approx([1.0, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2])


def test_constant_stays():
    assert rates(3, warmup_ratio=0.0, lr_schedule="constant") == [1.0, 1.0, 1.0]


def test_a_warmup_over_all_steps_only_rises():
    assert rates(3, warmup_ratio=1.0) == pytest.approx([0.25, 0.5, 0.75])


def test_an_unknown_schedule_is_refused():
    with pytest.raises(ValueError, match="got 'zigzag'"):
        rates(2, warmup_ratio=0.0, lr_schedule="zigzag")


@pytest.mark.parametrize("name", ["bert", "llama", "t5"])
def test_weight_decay_is_on_matrices_and_not_on_biases_and_norms(name):
    model = tiny_model(name)
    trained = trained_parameters(model, anatomy_of(model), "all")
    anatomy = anatomy_of(model)
    decayed, spared = build_optimizer(model, trained, anatomy, config(weight_decay=0.3)).param_groups
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.3, 0.0)
    names = {parameter: key for key, parameter in model.named_parameters()}
    # In these three, what is a vector is a bias or a norm's weight.
    assert {names[p] for p in spared["params"]} == {key for key, p in trained.items() if p.ndim == 1}
    assert len(decayed["params"]) + len(spared["params"]) == len(trained)


def test_each_block_has_its_share_of_the_rate():
    model = tiny_model("bert")
    anatomy = anatomy_of(model)
    trained = trained_parameters(model, anatomy, "all")
    optimizer = build_optimizer(model, trained, anatomy, config(layer_decay=0.5))
    set_rate(optimizer, 0.8)
    rates = {p: group["lr"] for group in optimizer.param_groups for p in group["params"]}
    found = {name: rates[parameter] for name, parameter in trained.items()}
    assert len(found) == len(trained)
    # Three blocks: half of the head's rate in the top one, and half again on each way down.
    shares = {"classifier": 1, "layer.2": 1 / 2, "layer.1": 1 / 4, "layer.0": 1 / 8, "embeddings": 1 / 16}
    for part, share in shares.items():
        of_part = [rate for name, rate in found.items() if part in name]
        assert of_part == pytest.approx([0.8 * share] * len(of_part)) and of_part


@pytest.mark.parametrize("name", COMMON["optimizer"].choices)
def test_every_optimizer_learns_a_few_rows_by_heart(name):
    torch.manual_seed(0)
    model = tiny_model("bert", hidden_dropout_prob=0.0)
    anatomy = anatomy_of(model)
    trained = trained_parameters(model, anatomy, "all")
    rate = {"adamw": 3e-3, "adafactor": 0.1, "sgd": 0.05}[name]
    optimizer = build_optimizer(model, trained, anatomy, config(optimizer=name))
    set_rate(optimizer, rate)
    losses = []
    for _ in range(60):
        losses.append(model(torch.arange(4, 16).reshape(3, 4), labels=torch.arange(3)).loss)
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.3 * losses[0]


def test_an_unknown_optimizer_is_refused():
    model = tiny_model("bert")
    anatomy = anatomy_of(model)
    with pytest.raises(ValueError, match="adamw, adafactor or sgd, got 'newton'"):
        build_optimizer(model, trained_parameters(model, anatomy, 0), anatomy, config(optimizer="newton"))


def test_adamw_with_tensors_steps_as_with_numbers():
    trial = config(weight_decay=0.3, layer_decay=0.6)
    models = [tiny_model("bert") for _ in range(2)]
    anatomies = [anatomy_of(model) for model in models]
    trained = [
        trained_parameters(model, anatomy, "all") for model, anatomy in zip(models, anatomies, strict=True)
    ]
    numbers = StepNumbers(torch.device("cpu"), 12, ["label_smoothing"])
    plain = build_optimizer(models[0], trained[0], anatomies[0], trial)
    capturable = CapturableAdamW(models[1], trained[1], anatomies[1], trial, numbers, new_moments)
    random = torch.Generator().manual_seed(0)
    for step in range(1, 21):
        for name in trained[0]:
            gradient = torch.randn(trained[0][name].shape, generator=random)
            trained[0][name].grad, trained[1][name].grad = gradient, gradient.clone()
        set_rate(plain, 1e-2 / step)
        numbers.fill(group_rates(capturable, 1e-2 / step), 0.3, 1.0, {"label_smoothing": 0.1})
        plain.step()
        capturable.step()
    # Head, three blocks and embeddings, decayed and not: ten groups. Rates have 24 bits.
    assert len(capturable.shape) == 10
    for name, parameter in trained[0].items():
        torch.testing.assert_close(trained[1][name], parameter, rtol=1e-5, atol=1e-6)
