"""Before a study's first trial: which boundaries are worth their bytes, and where states may be kept."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from shutil import disk_usage

import torch

from autoft.kernel.boundary.left_out import LeftOut, alone, mixing_padding, sentences, uncut
from autoft.kernel.boundary.plan import Boundary, CachePlan
from autoft.kernel.boundary.worth import Candidate, Probe
from autoft.kernel.device import FORWARD_TOKENS, Precision, choose_device
from autoft.kernel.initialize import initialize
from autoft.kernel.study_inputs import StudyInputs
from autoft.spec.hyperparameters import MAX_LENGTH, Depth
from autoft.spec.size import size_text
from autoft.spec.space import Choice, Range, Value
from autoft.spec.study import StudySpec
from autoft.spec.tasks import TASKS

DISK_SHARE = 0.5
"""Of the free disk that states may take, whatever `resources.cache` says."""
MOST = 32
"""Boundaries that a study keeps; those beyond the ones that save most would save little."""


def plan_cache(
    spec: StudySpec,
    study_inputs: StudyInputs,
    precision: Precision,
    passes: Mapping[str, float],
    folder: Path | None = None,
) -> CachePlan:
    """Decide what the study keeps at its boundaries. To be called once; its result is stored in the study.

    Loads each model, encodes the rows by `study_inputs.values` at the largest length, and runs a few batches
    of them with and without stored states. The process's number of threads and its modes are left as they
    were.

    Args:
        spec: the request, fitted to its models.
        study_inputs: as the workers get them, with this node's models.
        precision: of the study.
        passes: by split, how often all trials together are expected to go over its rows.
        folder: where states will lie, for its free disk; None is `study_inputs.cache`.

    Raises:
        ModelError: a model cannot be loaded.
        DataError: the rows cannot be read.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(study_inputs.cpus)
    try:
        with torch.random.fork_rng():
            found = _look(spec, study_inputs, precision, passes)
    finally:
        torch.set_num_threads(threads)
    free = int(disk_usage(_existing(folder or study_inputs.cache)).free * DISK_SHARE)
    most = min(spec.resources.cache, free, (spec.resources.disk or math.inf) // 2)
    kept, too_large = _within(int(most), found.candidates)
    left_out = [*found.left_out, *too_large]
    encoding = _encoding(spec)
    order = sorted(kept, key=lambda each: (each.model, each.max_length, each.boundary))
    notes = [
        *sentences([each for each in left_out if not each.suspect], found.lengths),
        *uncut(found.longest, max(filter(None, _lengths(spec)), default=0)),
        *alone(encoding.keys() & {each.name for each in spec.space.parameters}, encoding),
    ]
    return CachePlan(
        boundaries=tuple(order),
        notes=tuple(notes) if spec.resources.cache else ("resources.cache is 0",),
        warnings=(
            *mixing_padding(found.mixing_padding),
            *sentences([each for each in left_out if each.suspect], found.lengths),
        ),
        dtype="bfloat16" if precision == "bf16" else "float32",
        first_token=found.first_token,
        tables=found.tables,
        fill_tokens=FORWARD_TOKENS[choose_device().type],
        longest=found.longest,
        encoding=encoding,
        mixing_padding=tuple(found.mixing_padding),
    )


@dataclass(frozen=True)
class _Found:
    """What was seen of a study's models."""

    candidates: list[Candidate] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    first_token: dict[str, str] = field(default_factory=dict)
    tables: dict[str, str] = field(default_factory=dict)
    mixing_padding: list[str] = field(default_factory=list)
    longest: dict[str, int] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    """By model, how many lengths of rows it has."""


def _look(
    spec: StudySpec, study_inputs: StudyInputs, precision: Precision, passes: Mapping[str, float]
) -> _Found:
    found = _Found()
    lengths = _lengths(spec)
    longest = max(filter(None, lengths), default=None)
    for ref in spec.models:
        pretrained = study_inputs.load(ref.name)
        pretrained.model.to(choose_device())  # type: ignore[arg-type]
        initialize(pretrained.model, pretrained.fresh, seed=0)
        probe = Probe(ref.name, pretrained, study_inputs, longest, precision)
        if probe.padding_matters():
            found.mixing_padding.append(ref.name)
        if part := probe.first_token_part():
            found.first_token[ref.name] = part
        # One that each trial draws anew could not be made whole from the pretrained weights.
        if (table := probe.table()) and f"{table}.weight" not in pretrained.fresh:
            found.tables[ref.name] = table
        if len(lengths) > 1:
            found.longest[ref.name] = probe.longest
        plan = CachePlan(longest=found.longest)
        of_lengths: dict[int | None, float] = defaultdict(float)  # those above the longest row are one
        for length, share in lengths.items():
            of_lengths[plan.length(ref.name, length)] += share
        found.lengths[ref.name] = len(of_lengths)
        depths = _shares(spec, "unfreeze_depth") if spec.resources.cache else {}
        of_all = probe.mean(passes) * _share(spec) / len(spec.models)
        reading: dict[Depth, dict[int | None, float]] = {
            "all" if depth == "all" else int(depth): {
                length: of_all * of_depth * share for length, share in of_lengths.items()
            }
            for depth, of_depth in depths.items()
        }
        for tried in probe.candidates(reading):
            if isinstance(tried, LeftOut):
                found.left_out.append(tried)
            else:
                found.candidates.append(tried)
    return found


def _within(budget: int, candidates: list[Candidate]) -> tuple[list[Boundary], list[LeftOut]]:
    """Of the MOST that save most what fits into `budget` bytes, and what does not.

    What saves most for its bytes comes first.
    """
    kept: list[Boundary] = []
    ranked = sorted(candidates, key=lambda each: -each.saved_s)
    left_out = [note for each in ranked[MOST:] for note in _left_out(each, f"{MOST} others save more")]
    for each in sorted(ranked[:MOST], key=lambda each: -each.saved_s / max(1, each.boundary.bytes)):
        if sum(other.bytes for other in kept) + each.boundary.bytes <= budget:
            kept.append(each.boundary)
        else:
            reason = f"no room for {size_text(each.boundary.bytes)} within {size_text(budget)}"
            left_out += _left_out(each, reason)
    return kept, left_out


def _left_out(candidate: Candidate, reason: str) -> list[LeftOut]:
    model, max_length = candidate.boundary.model, candidate.boundary.max_length
    return [LeftOut(model, max_length, depth, reason) for depth in candidate.depths]


def _lengths(spec: StudySpec) -> dict[int | None, float]:
    """How often a trial has each `max_length`, see `_shares`; None alone where the task has none."""
    if spec.max_length is None:
        return {None: 1.0}
    return {int(length): share for length, share in _shares(spec, MAX_LENGTH.name).items()}


def _encoding(spec: StudySpec) -> dict[str, Value]:
    """What but `max_length` decides how rows are encoded, as models are examined."""
    values = spec.own_values
    own = [each for each in TASKS[spec.task].own if each.encoding and each.name != MAX_LENGTH.name]
    return {each.name: values[each.name] for each in own}


def _share(spec: StudySpec) -> float:
    """How often a trial's rows are encoded so."""
    return math.prod(_shares(spec, name).get(value, 0.0) for name, value in _encoding(spec).items())


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


def _values(domain: Choice | Range) -> Iterator[Value]:
    if isinstance(domain, Choice):
        yield from domain.values
    elif domain.integer:  # any one number of others is too seldom
        yield from range(int(domain.low), int(domain.high) + 1, int(domain.step or 1))


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())
