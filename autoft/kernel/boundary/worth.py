"""What it is worth to keep the states at a model's boundaries: tried on a few rows, before any trial."""

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from autoft.data.batch import collate
from autoft.data.encoded import Ragged
from autoft.kernel.boundary.inject import cut_states, cuts, injected, run_to, states_at
from autoft.kernel.boundary.left_out import LeftOut
from autoft.kernel.boundary.plan import Boundary, Cut, Layout
from autoft.kernel.boundary.states import States, above, kept, positions
from autoft.kernel.boundary.valid import (
    Sample,
    difference,
    padding_matters,
    refusal,
    row_layout,
    tokens_read,
)
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
    depths: tuple[int, ...]
    """The values of `unfreeze_depth` that read it."""
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
        max_length: int | None,
        precision: Precision,
    ) -> None:
        self._name, self._precision = name, precision
        self._model, self._anatomy = pretrained.model, pretrained.anatomy
        task = study_inputs.task
        values = task.spec.cut_at(study_inputs.values, max_length)
        _, self._encoded = study_inputs.encoded(pretrained.processor, values)
        self._splits = study_inputs.splits()
        self._sample = Sample.of(self._encoded, self._splits["train"], task, values)
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

    def padding_matters(self) -> bool:
        """See `valid.padding_matters`."""
        return padding_matters(self._model, self._sample)

    def table(self) -> str | None:
        """See `vocabulary.find_table`."""
        return find_table(self._model, self._anatomy, self._sample)

    def candidates(self, passes: Mapping[Depth, Mapping[int | None, float]]) -> list[Candidate | LeftOut]:
        """For each length the boundaries that `passes` would read, and why the others are not kept.

        Args:
            passes: by `unfreeze_depth` and length, how often the rows are expected to be read; to fill is
                one of them.
        """
        found: list[Candidate | LeftOut] = []
        readers: dict[tuple[Cut, Layout], list[int]] = defaultdict(list)  # many read an encoder's output
        for depth, of_lengths in passes.items():
            # Not even if reading took no time would less be worth it: see `_worth`.
            often = [length for length, count in of_lengths.items() if count > 2]
            reason = refusal(self._model, self._anatomy, depth)
            if reason or depth == "all":
                found += self._left_out(str(reason), depth, of_lengths)
                continue
            found += self._left_out(SELDOM, depth, [each for each in of_lengths if each not in often])
            if not often:
                continue
            chosen = self._cut(depth)
            if isinstance(chosen, str):
                found += self._left_out(chosen, depth, often, suspect=True)
            else:
                readers[chosen].append(depth)
        for (cut, layout), depths in readers.items():
            found += self._of_cut(cut, layout, {depth: passes[depth] for depth in depths})
        return found

    def _of_cut(
        self, cut: Cut, layout: Layout, passes: Mapping[int, Mapping[int | None, float]]
    ) -> Iterator[Candidate | LeftOut]:
        """What those depths make of one cut that read it often enough."""
        cost = self._cost(cut, layout)
        for length in dict.fromkeys(length for of_lengths in passes.values() for length in of_lengths):
            counts = {depth: each[length] for depth, each in passes.items() if each[length] > 2}
            if not counts:
                continue
            if cost.read_s < cost.compute_s:
                yield from self._worth(cost, length, counts)
                continue
            times = f"reading takes {1000 * cost.read_s:.2f} ms, computing {1000 * cost.compute_s:.2f} ms"
            for depth in counts:
                yield from self._left_out(f"{times} a batch", depth, [length])

    def _left_out(
        self, reason: str, depth: Depth, lengths: Iterable[int | None], suspect: bool = False
    ) -> list[LeftOut]:
        return [LeftOut(self._name, length, depth, reason, suspect) for length in lengths]

    def _worth(
        self, cost: "_Cost", length: int | None, passes: Mapping[int, float]
    ) -> list[Candidate] | list[LeftOut]:
        """A boundary has to save more than it takes to fill: `passes`, by depth, are a guess."""
        lengths = self._lengths if length is None else np.minimum(self._lengths, length)
        tokens = int(lengths.sum())
        count = tokens if cost.layout == "ragged" else len(self._lengths)
        size = count * math.prod(cost.shape) * (2 if self._precision == "bf16" else 4)
        batches = tokens / cost.tokens
        filling_s = batches * cost.compute_s + size / BYTES_A_SECOND
        pass_spares_s = batches * (cost.compute_s - cost.read_s)
        saved_s = (sum(passes.values()) - 1) * pass_spares_s - filling_s
        if saved_s <= 0:
            return [each for depth in passes for each in self._left_out(SELDOM, depth, [length])]
        boundary = cost.cut[-1]
        readers = tuple(sorted(len(self._anatomy.blocks) - depth for depth in passes))
        planned = Boundary(
            model=self._name,
            max_length=length,
            boundary=boundary,
            layout=cost.layout,
            shape=cost.shape,
            bytes=size,
            encoder=cost.cut[0] if len(cost.cut) > 1 else None,
            readers=() if readers == (boundary,) else readers,
            depths=tuple(sorted(passes)),
            pass_spares_s=pass_spares_s,
        )
        return [Candidate(planned, tuple(passes), saved_s)]

    def _cut(self, depth: int) -> tuple[Cut, Layout] | str:
        """Of `cuts` the first that changes no result, and what of a row is stored; else what differs."""
        reason = ""
        for cut in cuts(self._anatomy, depth):
            reason = difference(self._model, self._anatomy, depth, self._sample, "all", cut) or ""
            if not reason:
                if cut == (len(self._anatomy.blocks),) and (vector := self._vector()):
                    return cut, vector
                layout = row_layout(self._model, self._anatomy, self._sample, cut)
                assert layout is not None  # else `difference` had said so
                return cut, layout
        return reason

    def _vector(self) -> Layout | None:
        """Which one vector of a row the head reads; None where it reads more."""
        found = tokens_read(self._model, self._anatomy, self._sample)
        ids = self._encoded.inputs.get("input_ids")
        # Where a row may hold the padding token, heads that look for the last other one find it elsewhere.
        if found == "last" and isinstance(ids, Ragged) and (ids.values == ids.fill).any():
            return None
        if found == "all" or difference(self._model, self._anatomy, 0, self._sample, found):
            return None
        return found

    def _cost(self, cut: Cut, layout: Layout) -> "_Cost":
        """Of the states of a batch; reading includes what still runs."""
        evaluation_mode(self._model)
        device = self._model.device
        train, values = self._splits["train"], self._sample.values
        few = Sample.of(self._encoded, train, self._task, values, PROBED_ROWS).encoded
        rows = np.arange(len(few))
        inputs = collate(few, rows).to(device).inputs

        def computed() -> torch.Tensor:
            return cut_states(states_at(self._model, self._anatomy, cut, inputs), cut)

        with autocast(device, self._precision), torch.no_grad():
            flat = kept(computed(), few.lengths, layout).cpu()
            compute_s = _fastest(computed, device)
            offsets = positions(few.lengths, layout)
            stored = States(flat, layout, offsets, self._model.main_input_name)
            short = above(few, stored, device)
            with injected(self._model, self._anatomy, *cut) as cached_output:

                def read() -> None:
                    cached_output.states = stored.of(rows, device)
                    run_to(self._model, self._anatomy.block_names[cut[-1] - 1], short.inputs)

                read_s = _fastest(read, device)
        padded = len(few) * int(few.lengths.max())
        return _Cost(cut, layout, tuple(flat.shape[1:]), padded, read_s, compute_s)


@dataclass(frozen=True)
class _Cost:
    """Of what is stored at one cut, for a batch of so many tokens, padding included."""

    cut: Cut
    layout: Layout
    shape: tuple[int, ...]
    """See `Boundary.shape`."""
    tokens: int
    read_s: float
    compute_s: float


def _fastest(action: Callable[[], object], device: torch.device, times: int = 3) -> float:
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        action()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - began)
    return min(seconds)
