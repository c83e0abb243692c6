"""The head alone: where its states are stored, most models' own forward pass is a detour."""

from collections.abc import Mapping, Sequence

import torch
from torch import nn
from transformers import PreTrainedModel

from autoft.kernel.blocks import Anatomy
from autoft.kernel.boundary.inject import Held
from autoft.kernel.freeze import evaluation_mode
from autoft.kernel.probe import record_calls


def find_chain(
    model: PreTrainedModel, anatomy: Anatomy, held: Held, batch: Mapping[str, torch.Tensor]
) -> tuple[nn.Module, ...] | None:
    """The head's modules, if all that the model does with the states is to call one after the other.

    Seen in one forward pass, and tried: the logits have to be equal bit for bit. Leaves the model in
    evaluation mode.

    Args:
        model: with `held` in place.
        anatomy: the model's.
        batch: a few rows, as `Feed` gives them.
    """
    evaluation_mode(model)
    held.states = states = batch["states"]
    inputs = {name: tensor for name, tensor in batch.items() if name not in ("labels", "states")}
    calls = record_calls(model, inputs)
    address, chain = states.data_ptr(), []
    ran = [part for part in anatomy.head if part in calls.runs]
    for part in sorted(ran, key=calls.first_start.__getitem__):
        if calls.runs[part] > 1 or calls.inputs[part] != [address] or part not in calls.outputs:
            return None
        chain.append(part)
        address = calls.outputs[part]
    with torch.no_grad():
        same = torch.equal(call_in_turn(chain, states), model(**inputs).logits)
    return tuple(chain) if same else None


def call_in_turn(chain: Sequence[nn.Module], states: torch.Tensor) -> torch.Tensor:
    """What the last of `chain` makes of what the others made of `states`."""
    for part in chain:
        states = part(states)
    return states
