"""Fresh weights for what the pretrained checkpoint does not give, drawn anew for each trial."""

from collections.abc import Callable, Collection

import numpy as np
import torch
from transformers import PreTrainedModel

from autoft.tasks.output_layer import output_layer


def derive_seed(seed: int, *place: int) -> int:
    """A seed for one place (a step, say) of a trial, independent of its neighbors; 63 bits.

    numpy's SeedSequence: O'Neill, "Developing a seed_seq alternative", 2015.
    """
    return int(np.random.SeedSequence([seed, *place]).generate_state(1, np.uint64)[0] >> 1)


def initialize(model: PreTrainedModel, names: Collection[str], seed: int) -> None:
    """Draw the parameters `names` by the architecture's own rules; all others keep their values.

    The result depends on the architecture and the seed only, not on what the parameters held before.
    """
    fresh = set(names)
    # transformers guards what is loaded by this flag, on parameters and on whole modules: an outer module
    # may initialize its grandchildren, so all modules around a fresh parameter are opened.
    for module_name, module in model.named_modules(remove_duplicate=False):
        prefix = f"{module_name}." if module_name else ""
        opened = any(name.startswith(prefix) for name in fresh)
        module._is_hf_initialized = not opened
        for _, buffer in module.named_buffers(recurse=False):
            buffer._is_hf_initialized = True
    for name, parameter in model.named_parameters():
        parameter._is_hf_initialized = name not in fresh  # type: ignore[attr-defined]
        if name in fresh:
            parameter.data.zero_()  # an architecture whose rules forget one must not leave the last trial's
    torch.manual_seed(derive_seed(seed, 0))
    draw: Callable[[], None] = model.initialize_weights
    draw()


@torch.no_grad()
def set_output_bias(model: PreTrainedModel, fresh: Collection[str], bias: np.ndarray) -> None:
    """Gives the output layer this bias [outputs], if it has one and is drawn anew; says so if it has none.

    One that is added would be lost with the model's own code, which loads it without.
    """
    layer = output_layer(model, len(bias))
    drawn = {parameter for name, parameter in model.named_parameters() if name in fresh}
    if layer is None or layer.bias is None:
        print(
            f"The output layer of {type(model).__name__} has no bias that could begin with what is expected."
        )
    elif layer.bias in drawn:
        layer.bias.copy_(torch.from_numpy(bias))


def fresh_parameters(model: PreTrainedModel, missing: Collection[str], new_head: bool) -> tuple[str, ...]:
    """Names of the parameters that a trial starts from scratch, in the model's order.

    Args:
        model: with the task's head.
        missing: names of those that the pretrained checkpoint does not give.
        new_head: whether also all outside the base model start from scratch (`TaskSpec.new_head`).
    """
    base = model.base_model
    inside = set(base.parameters())
    return tuple(
        name
        for name, parameter in model.named_parameters()
        if name in missing or (new_head and base is not model and parameter not in inside)
    )
