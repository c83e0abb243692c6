"""States computed in batches that the rows' lengths alone decide, so that the bits are always the same."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

import numpy as np
import torch
from transformers import PreTrainedModel

from autoft.data.batch import collate, evaluation_batches
from autoft.data.encoded import Encoded
from autoft.kernel.blocks import Anatomy
from autoft.kernel.boundary import store
from autoft.kernel.boundary.inject import cut_states, injected, states_at
from autoft.kernel.boundary.plan import Boundary, CachePlan
from autoft.kernel.boundary.states import States, kept, positions
from autoft.kernel.device import Precision, autocast
from autoft.kernel.freeze import evaluation_mode


def fill(
    model: PreTrainedModel,
    anatomy: Anatomy,
    encoded: Encoded,
    plan: CachePlan,
    planned: Sequence[Boundary],
    targets: Mapping[int, torch.Tensor],
    base: tuple[int, States] | None,
    precision: Precision,
) -> None:
    """Compute the states of all rows at the boundaries of `targets`, and write them there.

    Args:
        model: with its pretrained weights; left in evaluation mode.
        anatomy: the model's.
        encoded: the rows.
        plan: the study's.
        planned: every boundary that the plan has for this model and length; states are rounded at each, so
            it is the same whether one is filled from the rows or from a lower boundary.
        targets: by boundary, as `States.flat`.
        base: the boundary to begin at, below all that is stored of the targets, with whole rows; None begins
            with the rows.
        precision: of the study.
    """
    evaluation_mode(model)
    wanted = [each for each in planned if each.boundary in targets]
    first = 0 if base is None else base[0]
    ends = {each.boundary: positions(encoded.lengths, each.layout) for each in wanted}
    stored = sorted({boundary for each in planned for boundary in each.cut})
    through = [boundary for boundary in stored if first < boundary <= max(targets)]
    with ExitStack() as stack:
        cached_output = stack.enter_context(injected(model, anatomy, first)) if first else None
        for rows in evaluation_batches(encoded.lengths, plan.fill_tokens):
            inputs = collate(encoded, rows).to(model.device).inputs
            if cached_output is not None and base is not None:
                cached_output.states = base[1].of(rows, model.device)
            with autocast(model.device, precision):
                found = states_at(model, anatomy, through, inputs, store.DTYPES[plan.dtype])
            for each in wanted:
                target = targets[each.boundary]
                flat = kept(cut_states(found, each.cut), encoded.lengths[rows], each.layout)
                target[_places(ends[each.boundary], rows)] = flat.to(target.device)


def _places(ends: np.ndarray, rows: np.ndarray) -> torch.Tensor:
    """Where the states of `rows` lie, in the order in which `kept` gives them."""
    return torch.from_numpy(np.concatenate([np.arange(ends[row], ends[row + 1]) for row in rows]))
