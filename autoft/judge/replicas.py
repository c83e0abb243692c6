"""The study of replicas: the best configurations of a search and the default, each on fresh seeds.

It is a study of a plain list of trials (`study.planned`), beside the search's, which never sees it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b
from itertools import count, islice

from autoft.spec.study import StudySpec
from autoft.study.comparison import candidates_of
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


def replicas_of(spec: StudySpec, trial: TrialRecord) -> list[PlannedTrial]:
    """The replicas of a trial's configuration, as `confirm.seeds` asks for them."""
    assert spec.confirm is not None
    seeds = replica_seeds(spec.search.seed, trial, spec.confirm.seeds)
    return [PlannedTrial(dict(trial.values), seed) for seed in seeds]


def wanted(spec: StudySpec, trials: Sequence[TrialRecord]) -> list[PlannedTrial]:
    """All replicas that the confirmation needs: a seed of each configuration, then the next seed of each."""
    assert spec.confirm is not None
    candidates = candidates_of(trials, spec.metric.direction, spec.confirm.top)
    of_each = [replicas_of(spec, trial) for trial in candidates]
    return [replica for replicas in zip(*of_each, strict=True) for replica in replicas]


def name_of(study: str) -> str:
    """The name of the study of replicas, which is no name that a user can give."""
    return f"{study}/confirm"


def request_of(spec: StudySpec, trials: int) -> StudySpec:
    """The request for the study of replicas. A configuration that fails on every seed ends nothing."""
    assert spec.confirm is not None
    failures = max(spec.faults.stop_after_failures, spec.confirm.seeds + 1)
    request = planned_request(spec, name_of(spec.study), trials)
    return replace(request, faults=replace(spec.faults, stop_after_failures=failures))
