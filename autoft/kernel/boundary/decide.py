"""Before a study's first trial: which boundaries are worth their bytes, and where states may be kept."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import disk_usage

import numpy as np
import torch

from autoft.data.encode import Encoded, encode, encoded_path
from autoft.data.files import read_table
from autoft.kernel.boundary.inject import states_at
from autoft.kernel.boundary.plan import Boundary, CachePlan
from autoft.kernel.boundary.states import Reads, States, flattened, positions
from autoft.kernel.boundary.valid import difference, model_inputs, refusal, sample, tokens_read
from autoft.kernel.config import Depth
from autoft.kernel.device import Precision, autocast, choose_device
from autoft.kernel.freeze import evaluation_mode
from autoft.kernel.initialise import initialise
from autoft.kernel.pretrained import Pretrained, load_pretrained
from autoft.kernel.workbench import Materials
from autoft.spec.space import Choice, Value
from autoft.spec.study import StudySpec

DISK_SHARE = 0.5
"""Of the free disk that states may take, whatever `resources.cache` says."""
PROBED_ROWS = 8
"""Rows of the probe that compares reading with computing; more of them change both alike."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Candidate:
    """A boundary that could be kept, and what it would save."""

    boundary: Boundary
    saved: float
    """Blocks that need not be run, over the study and per row."""


def plan_cache(spec: StudySpec, materials: Materials, precision: Precision) -> CachePlan:
    """Decide what the study keeps at its boundaries. To be called once; its result is stored in the study.

    Loads each model, and runs a few batches with and without stored states. The process's number of threads
    and its modes are left as they were.

    Args:
        spec: the request, fitted to its models.
        materials: as the workers get them, with this node's models.
        precision: of the study.

    Raises:
        ModelError: a model cannot be loaded.
        DataError: the rows cannot be read.
    """
    if spec.resources.cache == 0:
        return CachePlan(notes=("resources.cache is 0",))
    threads = torch.get_num_threads()
    torch.set_num_threads(materials.cpus)
    try:
        candidates, notes = _candidates(spec, materials, precision)
    finally:
        torch.set_num_threads(threads)
    free = int(disk_usage(_existing(materials.cache)).free * DISK_SHARE)
    kept, left_out = _within(min(spec.resources.cache, free), candidates)
    order = sorted(kept, key=lambda each: (each.model, each.max_length, each.boundary))
    return CachePlan(tuple(order), (*notes, *left_out), "bfloat16" if precision == "bf16" else "float32")


def _candidates(
    spec: StudySpec, materials: Materials, precision: Precision
) -> tuple[list[_Candidate], list[str]]:
    found: list[_Candidate] = []
    notes: list[str] = []
    lengths = _shares(spec, "max_length")
    for ref in spec.models:
        pretrained = load_pretrained(materials.model(ref.name), materials.labels, materials.task)
        pretrained.model.to(choose_device())  # type: ignore[arg-type]
        initialise(pretrained.model, pretrained.fresh, seed=0)
        for max_length, share in lengths.items():
            encoded = _encoded(materials, pretrained, int(max_length))
            probe = _Probe(ref.name, pretrained, encoded, precision)
            for depth, depth_share in _shares(spec, "unfreeze_depth").items():
                weight = share * depth_share * _passes(spec) / len(spec.models)
                kept = probe.boundary("all" if depth == "all" else int(depth), int(max_length), weight)
                if isinstance(kept, str):
                    notes.append(f"{ref.name}, unfreeze_depth {depth}, max_length {max_length}: {kept}")
                else:
                    found.append(_Candidate(kept, weight * probe.spared(kept)))
    return found, list(dict.fromkeys(notes))


class _Probe:
    """One model and length under test."""

    def __init__(self, name: str, pretrained: Pretrained, encoded: Encoded, precision: Precision) -> None:
        self._name, self._precision, self._encoded = name, precision, encoded
        self._model, self._anatomy = pretrained.model, pretrained.anatomy
        self._pad_id = pretrained.tokenizer.pad_token_id
        self._sample = sample(encoded["train"])

    def boundary(self, depth: Depth, max_length: int, passes: float) -> Boundary | str:
        """The boundary below the trained blocks of `depth`, or why nothing is kept there."""
        reason = refusal(self._model, self._anatomy, depth)
        if reason or depth == "all":
            return str(reason)
        if passes < 1:
            return "too few trials would read it"
        if reason := difference(self._model, self._anatomy, depth, self._sample, self._pad_id, "all"):
            _log.warning("%s, unfreeze_depth %s: no states are kept, %s", self._name, depth, reason)
            return reason
        reads = self._reads() if depth == 0 else "all"
        boundary = len(self._anatomy.blocks) - depth
        read_s, compute_s, width = self._seconds(boundary, reads)
        if read_s >= compute_s:
            return f"reading takes {1000 * read_s:.2f} ms, computing {1000 * compute_s:.2f} ms a batch"
        count = sum(int(positions(tokens, reads)[-1]) for tokens in self._encoded.splits.values())
        itemsize = 2 if self._precision == "bf16" else 4
        return Boundary(self._name, max_length, boundary, reads, width, count * width * itemsize)

    def spared(self, kept: Boundary) -> int:
        """Blocks that need not be run where the states at `kept` are stored."""
        return kept.boundary - self._anatomy.still_run[kept.boundary]

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


def _within(budget: int, candidates: list[_Candidate]) -> tuple[list[Boundary], list[str]]:
    """What fits into `budget` bytes, best worth for its bytes first; and what is left out, in words."""
    kept: list[Boundary] = []
    notes = []
    for each in sorted(candidates, key=lambda each: -each.saved / max(1, each.boundary.bytes)):
        boundary = each.boundary
        if sum(other.bytes for other in kept) + boundary.bytes <= budget:
            kept.append(boundary)
        else:
            notes.append(
                f"{boundary.model}, boundary {boundary.boundary}, max_length {boundary.max_length}: "
                f"no room for {boundary.bytes} bytes within {budget}"
            )
    return kept, notes


def _shares(spec: StudySpec, name: str) -> dict[Value, float]:
    """How often a trial has each value of a hyperparameter, as far as the space says; sums to about 1."""
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
    """Passes over the training rows in the whole study, at least; pruning makes them fewer."""
    return spec.budget.trials * spec.space.ends("epochs")[0]


def _encoded(materials: Materials, pretrained: Pretrained, max_length: int) -> Encoded:
    path = encoded_path(materials.cache, materials.rows_digest, pretrained.tokenizer, max_length)
    return encode(read_table(materials.rows), pretrained.tokenizer, max_length, path)


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())
