"""What it is worth to keep the states at a model's boundaries: tried on a few rows, before any trial."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from autoft.data.batch import collate
from autoft.data.encoded import Ragged
from autoft.kernel.boundary.inject import states_at
from autoft.kernel.boundary.left_out import LeftOut
from autoft.kernel.boundary.plan import Boundary
from autoft.kernel.boundary.states import Reads, States, flattened, positions
from autoft.kernel.boundary.valid import Sample, difference, refusal, tokens_read
from autoft.kernel.device import Precision, autocast
from autoft.kernel.freeze import evaluation_mode
from autoft.kernel.pretrained import Pretrained
from autoft.kernel.study_inputs import StudyInputs
from autoft.kernel.top_block import find_part
from autoft.kernel.vocabulary import find_table
from autoft.spec.hyperparameters import Depth

PROBED_ROWS = 8
"""Rows of the probe that compares reading with computing; more of them change both alike."""
BYTES_A_SECOND = 100e6
"""What a boundary takes counts as time at this rate: to write it once, and to check it in every process."""
SELDOM = "too few trials would read it"


@dataclass(frozen=True)
class Candidate:
    """A boundary that could be kept, and what it would save."""

    boundary: Boundary
    depth: int
    """The `unfreeze_depth` that reads it."""
    saved_s: float
    """Seconds over the whole study, less those of the pass that fills it."""


class Probe:
    """One model under test, with its rows at the largest length.

    What holds of these rows and what they cost is taken to hold of shorter ones, by their tokens.
    """

    def __init__(
        self,
        name: str,
        pretrained: Pretrained,
        study_inputs: StudyInputs,
        max_length: int,
        precision: Precision,
    ) -> None:
        self._name, self._precision = name, precision
        self._model, self._anatomy = pretrained.model, pretrained.anatomy
        task = study_inputs.task
        values = {each.name: each.default for each in task.spec.own} | {"max_length": max_length}
        _, self._encoded = study_inputs.encoded(pretrained.processor, values)
        self._splits = study_inputs.splits()
        self._sample = Sample.of(self._encoded, self._splits["train"], task)
        self._task = task
        self._lengths = self._encoded.lengths

    @property
    def longest(self) -> int:
        """Tokens of the longest row."""
        return int(self._lengths.max())

    def mean(self, passes: Mapping[str, float]) -> float:
        """Of the passes over each split, by its tokens."""
        tokens = {name: int(self._lengths[rows].sum()) for name, rows in self._splits.items()}
        return sum(passes[name] * count for name, count in tokens.items()) / sum(tokens.values())

    def first_token_part(self) -> str | None:
        """See `top_block.find_part`."""
        return find_part(self._model, self._anatomy, self._sample)

    def table(self) -> str | None:
        """See `vocabulary.find_table`."""
        return find_table(self._model, self._anatomy, self._sample)

    def candidates(self, depth: Depth, passes: Mapping[int, float]) -> list[Candidate | LeftOut]:
        """For each length the boundary below the trained blocks of `depth`, or why it is not kept.

        Args:
            depth: the `unfreeze_depth`.
            passes: by length, how often the rows are expected to be read; to fill is one of them.
        """

        def left_out(reason: str, lengths: Iterable[int], suspect: bool = False) -> list[LeftOut]:
            return [LeftOut(self._name, length, depth, reason, suspect) for length in lengths]

        reason = refusal(self._model, self._anatomy, depth)
        if reason or depth == "all":
            return [*left_out(str(reason), passes)]
        # Not even if reading took no time would less be worth it: see `_worth`.
        often = {length: count for length, count in passes.items() if count > 2}
        seldom = left_out(SELDOM, passes.keys() - often.keys())
        if not often:
            return [*seldom]
        if reason := difference(self._model, self._anatomy, depth, self._sample, "all"):
            return [*seldom, *left_out(reason, often, suspect=True)]
        cost = self._cost(len(self._anatomy.blocks) - depth, self._reads() if depth == 0 else "all")
        if cost.read_s >= cost.compute_s:
            times = f"reading takes {1000 * cost.read_s:.2f} ms, computing {1000 * cost.compute_s:.2f} ms"
            return [*seldom, *left_out(f"{times} a batch", often)]
        worth = [self._worth(cost, depth, length, count) for length, count in often.items()]
        return [*seldom, *worth]

    def _worth(self, cost: "_Cost", depth: int, length: int, passes: float) -> Candidate | LeftOut:
        """A boundary has to save more than it takes to fill: `passes` are a guess."""
        tokens = int(np.minimum(self._lengths, length).sum())
        count = tokens if cost.reads == "all" else len(self._lengths)
        size = count * cost.width * (2 if self._precision == "bf16" else 4)
        batches = tokens / cost.tokens
        filling_s = batches * cost.compute_s + size / BYTES_A_SECOND
        saved_s = (passes - 1) * batches * (cost.compute_s - cost.read_s) - filling_s
        if saved_s <= 0:
            return LeftOut(self._name, length, depth, SELDOM)
        kept = Boundary(self._name, length, cost.boundary, cost.reads, cost.width, size)
        return Candidate(kept, depth, saved_s)

    def _reads(self) -> Reads:
        found = tokens_read(self._model, self._anatomy, self._sample)
        ids = self._encoded.inputs.get("input_ids")
        # Where a row may hold the padding token, heads that look for the last other one find it elsewhere.
        if found == "last" and isinstance(ids, Ragged) and (ids.values == ids.fill).any():
            return "all"
        if found == "all":
            return found
        differs = difference(self._model, self._anatomy, 0, self._sample, found)
        return "all" if differs else found

    def _cost(self, boundary: int, reads: Reads) -> "_Cost":
        """Of the states of a batch; reading includes what still runs."""
        evaluation_mode(self._model)
        device = self._model.device
        few = Sample.of(self._encoded, self._splits["train"], self._task, PROBED_ROWS).encoded
        rows = np.arange(len(few))
        inputs = collate(few, rows).to(device).inputs
        still_run = self._anatomy.still_run[boundary]

        def computed(at: int) -> torch.Tensor:
            return states_at(self._model, self._anatomy, [at], inputs)[at]

        with autocast(device, self._precision):
            states = computed(boundary)
            compute_s = _fastest(lambda: computed(boundary), device)
            still_s = _fastest(lambda: computed(still_run), device) if still_run else 0.0
        kept = States(flattened(states, few.lengths, reads).cpu(), reads, positions(few.lengths, reads))
        read_s = still_s + _fastest(lambda: kept.of(rows, device), device)
        padded = len(few) * int(few.lengths.max())
        return _Cost(boundary, reads, states.shape[-1], padded, read_s, compute_s)


@dataclass(frozen=True)
class _Cost:
    """Of one boundary's states, for a batch of so many tokens, padding included."""

    boundary: int
    reads: Reads
    width: int
    tokens: int
    read_s: float
    compute_s: float


def _fastest(action: Callable[[], torch.Tensor], device: torch.device, times: int = 3) -> float:
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        action()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - began)
    return min(seconds)
