"""The study of replicas: the best configurations of a search and the default, each on fresh seeds.

It is a study of a plain list of trials (`study.planned`), beside the search's, which never sees it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from itertools import count, islice

from autoft.spec.study import StudySpec
from autoft.study.planned import PlannedTrial, planned_request
from autoft.study.records import TrialRecord


def replica_seeds(study_seed: int, trial: TrialRecord, seeds: int) -> list[int]:
    """The seeds of a trial's replicas, 31 bits each; none of them twice, and none the trial's own.

    More seeds begin with the same ones.
    """
    return list(islice(_seeds(study_seed, trial), seeds))


def _seeds(study_seed: int, trial: TrialRecord) -> Iterator[int]:
    seen = {trial.seed}
    for number in count():
        digest = blake2b(f"{study_seed}:{trial.number}:{number}".encode(), digest_size=4).digest()
        seed = int.from_bytes(digest, "big") & 0x7FFF_FFFF
        if seed not in seen:
            seen.add(seed)
            yield seed


def owners(spec: StudySpec, candidates: Sequence[TrialRecord]) -> dict[int, tuple[int, int]]:
    """Whose replica each seed is: the number of the candidate's trial, and the seed's place there, from 0.

    Of so many seeds as one candidate can have at most: those of all.
    """
    assert spec.confirm is not None
    most = spec.confirm.seeds * len(candidates)
    return {
        seed: (trial.number, place)
        for trial in candidates
        for place, seed in enumerate(replica_seeds(spec.search.seed, trial, most))
    }


def replicas(
    spec: StudySpec, candidates: Sequence[TrialRecord], seeds: Mapping[int, int]
) -> list[PlannedTrial]:
    """So many replicas of each candidate, by its number: a seed of each, then the next seed of each."""
    of_each = [(trial, replica_seeds(spec.search.seed, trial, seeds[trial.number])) for trial in candidates]
    return [
        PlannedTrial(dict(trial.values), own[place])
        for place in range(max(seeds.values()))
        for trial, own in of_each
        if place < len(own)
    ]


def name_of(study: str) -> str:
    """The name of the study of replicas, which is no name that a user can give."""
    return f"{study}/confirm"


def request_of(spec: StudySpec, trials: int) -> StudySpec:
    """The request for the study of replicas. A configuration that fails on every seed ends nothing."""
    assert spec.confirm is not None
    failures = max(spec.faults.stop_after_failures, spec.confirm.seeds + 1)
    request = planned_request(spec, name_of(spec.study), trials)
    return replace(request, faults=replace(spec.faults, stop_after_failures=failures))
