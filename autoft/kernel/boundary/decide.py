"""Before a study's first trial: which boundaries are worth their bytes, and where states may be kept."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from shutil import disk_usage

import numpy as np
import torch

from autoft.data.encode import Encoded, Tokens, encode, encoded_path
from autoft.data.files import read_table
from autoft.kernel.boundary.inject import states_at
from autoft.kernel.boundary.left_out import LeftOut, sentences
from autoft.kernel.boundary.plan import Boundary, CachePlan
from autoft.kernel.boundary.states import Reads, States, flattened, positions
from autoft.kernel.boundary.valid import difference, model_inputs, refusal, sample, tokens_read
from autoft.kernel.config import Depth
from autoft.kernel.device import FORWARD_TOKENS, Precision, autocast, choose_device
from autoft.kernel.freeze import evaluation_mode
from autoft.kernel.initialise import initialise
from autoft.kernel.pretrained import Pretrained, load_pretrained
from autoft.kernel.top_block import find_part
from autoft.kernel.vocabulary import find_table
from autoft.kernel.workbench import Materials
from autoft.spec.size import size_text
from autoft.spec.space import Choice, Value
from autoft.spec.study import StudySpec

DISK_SHARE = 0.5
"""Of the free disk that states may take, whatever `resources.cache` says."""
PROBED_ROWS = 8
"""Rows of the probe that compares reading with computing; more of them change both alike."""


@dataclass(frozen=True)
class _Candidate:
    """A boundary that could be kept, and what it would save."""

    boundary: Boundary
    depth: int
    """The `unfreeze_depth` that reads it."""
    saved_s: float
    """Seconds over the study that reading saves the probe's rows."""


def plan_cache(
    spec: StudySpec, materials: Materials, precision: Precision, folder: Path | None = None
) -> CachePlan:
    """Decide what the study keeps at its boundaries. To be called once; its result is stored in the study.

    Loads each model, and runs a few batches with and without stored states. The process's number of threads
    and its modes are left as they were.

    Args:
        spec: the request, fitted to its models.
        materials: as the workers get them, with this node's models.
        precision: of the study.
        folder: where states will lie, for its free disk; None is `materials.cache`.

    Raises:
        ModelError: a model cannot be loaded.
        DataError: the rows cannot be read.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(materials.cpus)
    try:
        with torch.random.fork_rng():
            found = _look(spec, materials, precision)
    finally:
        torch.set_num_threads(threads)
    free = int(disk_usage(_existing(folder or materials.cache)).free * DISK_SHARE)
    most = min(spec.resources.cache, free, (spec.resources.disk or math.inf) // 2)
    kept, too_large = _within(int(most), found.candidates)
    left_out = [*found.left_out, *too_large]
    order = sorted(kept, key=lambda each: (each.model, each.max_length, each.boundary))
    counts = len(spec.models), len(_shares(spec, "max_length"))
    notes = sentences([each for each in left_out if not each.suspect], *counts)
    return CachePlan(
        boundaries=tuple(order),
        notes=tuple(notes) if spec.resources.cache else ("resources.cache is 0",),
        warnings=tuple(sentences([each for each in left_out if each.suspect], *counts)),
        dtype="bfloat16" if precision == "bf16" else "float32",
        first_token=found.first_token,
        tables=found.tables,
        fill_tokens=FORWARD_TOKENS[choose_device().type],
    )


@dataclass(frozen=True)
class _Found:
    """What was seen of a study's models."""

    candidates: list[_Candidate] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    first_token: dict[str, str] = field(default_factory=dict)
    tables: dict[str, str] = field(default_factory=dict)


def _look(spec: StudySpec, materials: Materials, precision: Precision) -> _Found:
    found = _Found()
    lengths = _shares(spec, "max_length")
    for ref in spec.models:
        pretrained = load_pretrained(materials.model(ref.name), materials.labels, materials.task)
        pretrained.model.to(choose_device())  # type: ignore[arg-type]
        initialise(pretrained.model, pretrained.fresh, seed=0)
        probes = {each: _Probe(ref.name, pretrained, materials, int(each), precision) for each in lengths}
        longest = probes[max(lengths)]
        if part := longest.first_token_part():
            found.first_token[ref.name] = part
        # One that each trial draws anew could not be made whole from the pretrained weights.
        if (table := longest.table()) and f"{table}.weight" not in pretrained.fresh:
            found.tables[ref.name] = table
        for max_length, share in lengths.items() if spec.resources.cache else ():
            for depth, depth_share in _shares(spec, "unfreeze_depth").items():
                passes = share * depth_share * _passes(spec) / len(spec.models)
                tried = probes[max_length].candidate("all" if depth == "all" else int(depth), passes)
                if isinstance(tried, LeftOut):
                    found.left_out.append(tried)
                else:
                    found.candidates.append(tried)
    return found


class _Probe:
    """One model and length under test."""

    def __init__(
        self,
        name: str,
        pretrained: Pretrained,
        materials: Materials,
        max_length: int,
        precision: Precision,
    ) -> None:
        self._name, self._max_length, self._precision = name, max_length, precision
        self._model, self._anatomy = pretrained.model, pretrained.anatomy
        self._tokenizer, self._pad_id = pretrained.tokenizer, pretrained.tokenizer.pad_token_id
        self._materials = materials

    @cached_property
    def _encoded(self) -> Encoded:
        """Only when it is asked for: of many lengths each may be read too seldom."""
        path = encoded_path(
            self._materials.cache, self._materials.rows_digest, self._tokenizer, self._max_length
        )
        return encode(read_table(self._materials.rows), self._tokenizer, self._max_length, path)

    @cached_property
    def _sample(self) -> Tokens:
        return sample(self._encoded["train"])

    def candidate(self, depth: Depth, passes: float) -> _Candidate | LeftOut:
        """The boundary below the trained blocks of `depth`, read `passes` times; or why it is not kept."""

        def left_out(reason: str, suspect: bool = False) -> LeftOut:
            return LeftOut(self._name, self._max_length, depth, reason, suspect)

        reason = refusal(self._model, self._anatomy, depth)
        if reason or depth == "all":
            return left_out(str(reason))
        if passes < 1:
            return left_out("too few trials would read it")
        if reason := difference(self._model, self._anatomy, depth, self._sample, self._pad_id, "all"):
            return left_out(reason, suspect=True)
        reads = self._reads() if depth == 0 else "all"
        boundary = len(self._anatomy.blocks) - depth
        read_s, compute_s, width = self._seconds(boundary, reads)
        if read_s >= compute_s:
            return left_out(
                f"reading takes {1000 * read_s:.2f} ms, computing {1000 * compute_s:.2f} ms a batch"
            )
        count = sum(int(positions(tokens, reads)[-1]) for tokens in self._encoded.splits.values())
        itemsize = 2 if self._precision == "bf16" else 4
        kept = Boundary(self._name, self._max_length, boundary, reads, width, count * width * itemsize)
        return _Candidate(kept, depth, passes * (compute_s - read_s))

    def first_token_part(self) -> str | None:
        """See `top_block.find_part`."""
        return find_part(self._model, self._anatomy, self._sample, self._pad_id)

    def table(self) -> str | None:
        """See `vocabulary.find_table`."""
        return find_table(self._model, self._anatomy, self._sample, self._pad_id)

    def _reads(self) -> Reads:
        found = tokens_read(self._model, self._anatomy, self._sample, self._pad_id)
        splits = self._encoded.splits.values()
        # Where a row may hold the padding token, heads that look for the last other one find it elsewhere.
        if found == "last" and any((tokens.ids == self._pad_id).any() for tokens in splits):
            return "all"
        if found == "all":
            return found
        differs = difference(self._model, self._anatomy, 0, self._sample, self._pad_id, found)
        return "all" if differs else found

    def _seconds(self, boundary: int, reads: Reads) -> tuple[float, float, int]:
        """To read (with what still runs) and to compute the states of a batch, and the hidden size."""
        evaluation_mode(self._model)
        tokens, device = sample(self._encoded["train"], PROBED_ROWS), self._model.device
        rows = np.arange(len(tokens))
        inputs = model_inputs(tokens, rows, self._pad_id, device)
        still_run = self._anatomy.still_run[boundary]

        def computed(at: int) -> torch.Tensor:
            return states_at(self._model, self._anatomy, [at], inputs)[at]

        with autocast(device, self._precision):
            states = computed(boundary)
            compute_s = _fastest(lambda: computed(boundary), device)
            still_s = _fastest(lambda: computed(still_run), device) if still_run else 0.0
        kept = States(flattened(states, tokens.lengths, reads).cpu(), reads, positions(tokens, reads))
        return still_s + _fastest(lambda: kept.of(rows, device), device), compute_s, states.shape[-1]


def _fastest(action: Callable[[], torch.Tensor], device: torch.device, times: int = 3) -> float:
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        action()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def _within(budget: int, candidates: list[_Candidate]) -> tuple[list[Boundary], list[LeftOut]]:
    """What fits into `budget` bytes, what saves most time for its bytes first; and what does not fit."""
    kept: list[Boundary] = []
    left_out = []
    for each in sorted(candidates, key=lambda each: -each.saved_s / max(1, each.boundary.bytes)):
        boundary = each.boundary
        if sum(other.bytes for other in kept) + boundary.bytes <= budget:
            kept.append(boundary)
        else:
            reason = f"no room for {size_text(boundary.bytes)} within {size_text(budget)}"
            left_out.append(LeftOut(boundary.model, boundary.max_length, each.depth, reason))
    return kept, left_out


def _shares(spec: StudySpec, name: str) -> dict[Value, float]:
    """How often a trial has each value of a hyperparameter, as far as the space says.

    Sums to 1; to 2 where a conditional parameter also has a value outside its condition."""
    space = spec.space
    parameter = next((each for each in space.parameters if each.name == name), None)
    values: list[Value] = [] if parameter is None else list(_values(parameter.domain))
    shares = dict.fromkeys(values, 1 / max(1, len(values)))
    if parameter is None or parameter.conditions:
        fixed = space.resolve({})[name]
        shares[fixed] = shares.get(fixed, 0.0) + 1.0
    for entry in spec.first:
        if name in entry:
            shares[entry[name]] = shares.get(entry[name], 0.0) + 1 / spec.budget.trials
    return shares


def _values(domain: object) -> Iterator[Value]:
    if isinstance(domain, Choice):
        yield from domain.values
    else:
        yield from range(int(domain.low), int(domain.high) + 1, int(domain.step or 1))  # type: ignore[attr-defined]


def _passes(spec: StudySpec) -> float:
    """Passes over the training rows in the whole study, with the fewest epochs that a trial can have.

    Pruning is left out: nobody knows it yet, and as it spares no boundary more than another, the order of
    their worth stays.
    """
    return spec.budget.trials * spec.space.ends("epochs")[0]


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())
