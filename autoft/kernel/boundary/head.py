"""The head alone: where its states are stored, most models' own forward pass is a detour."""

from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from transformers import PreTrainedModel

from autoft.data.batch import Batch
from autoft.kernel.blocks import Anatomy
from autoft.kernel.boundary.inject import CachedOutput
from autoft.kernel.freeze import evaluation_mode, training_mode
from autoft.kernel.probe import Calls, record_calls
from autoft.tasks.outputs import outputs_of
from autoft.tasks.protocol import Task


def find_chain(
    task: Task, model: PreTrainedModel, anatomy: Anatomy, cached_output: CachedOutput, batch: Batch
) -> tuple[nn.Module, ...] | None:
    """The head's modules, if all that the model does with the states is to call one after the other.

    None too where the task reads several outputs, for a chain gives one.
    Seen in one forward pass, and tried: the output has to be equal bit for bit, in evaluation mode and, with
    the same random numbers, in training mode. Leaves the model in training mode.

    Args:
        task: what is read of the answer.
        model: with `cached_output` in place, frozen to depth 0.
        anatomy: the model's.
        cached_output: where the states go.
        batch: a few rows, as `BatchSource` gives them.
    """
    if len(task.output_fields) > 1:
        return None
    assert batch.states is not None
    cached_output.states = states = batch.states
    inputs = batch.inputs
    chain = _called_in_turn(anatomy, record_calls(model, inputs), states)
    if chain is None:
        return None
    try:
        evaluation_mode(model)
        same = _same(task, model, chain, inputs, states)
        training_mode(model, anatomy, 0)
        return chain if same and _same(task, model, chain, inputs, states) else None
    except Exception:  # a part takes or gives more than states
        return None


def _same(
    task: Task,
    model: PreTrainedModel,
    chain: Sequence[nn.Module],
    inputs: Mapping[str, torch.Tensor],
    states: torch.Tensor,
) -> bool:
    torch.manual_seed(0)
    (output,) = outputs_of(task, model, inputs).values()
    torch.manual_seed(0)
    return torch.equal(output, call_in_turn(chain, states))


def _called_in_turn(anatomy: Anatomy, calls: Calls, states: torch.Tensor) -> tuple[nn.Module, ...] | None:
    """The head's modules that ran, if each took what the one before gave, and nothing else."""
    address, chain = states.data_ptr(), []
    ran = [part for part in anatomy.head if part in calls.runs]
    for part in sorted(ran, key=calls.first_start.__getitem__):
        if any(isinstance(module, _BatchNorm) for module in part.modules()):
            return None  # to try it would move its statistics
        if calls.runs[part] > 1 or calls.inputs[part] != [address] or part not in calls.outputs:
            return None
        chain.append(part)
        address = calls.outputs[part]
    return tuple(chain)


def call_in_turn(chain: Sequence[nn.Module], states: torch.Tensor) -> torch.Tensor:
    """What the last of `chain` makes of what the others made of `states`: [rows, outputs].

    Some heads give them for each token, of which there is one; the model would choose it.
    """
    for part in chain:
        states = part(states)
    return states.flatten(end_dim=-2)
