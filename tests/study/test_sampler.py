"""What is proposed depends on the study's trials only, not on how often the search was interrupted."""

from pathlib import Path
from typing import Any

import pytest

from autoft.spec.study import SearchMethod
from autoft.study.records import read_trials
from autoft.study.sitting import Sitting
from autoft.study.storage import identity_of, open_study

from .scripted import CONDITIONAL, make_spec, measurement

TRIALS = 12


def proposals(folder: Path, method: SearchMethod, sittings: list[int]) -> list[dict[str, Any]]:
    """The parameters of all trials; each sitting goes on to one of these totals. Scores follow a formula."""
    for total in sittings:
        spec = make_spec(trials=total, parameters=CONDITIONAL, search=method)
        study = open_study(spec, folder, identity_of(spec, "digest"))
        sitting = Sitting(study, spec, precision="fp32", watchers=[], folder=folder, max_concurrent=1)
        while (next_up := sitting.next()) is not None:
            score = 0.5 - abs(next_up.config.learning_rate - 3e-4) * 100 + next_up.config.dropout / 10
            sitting.measured(next_up.number, 1, measurement(1, 1, score), "node")
            sitting.completed(next_up.number, 1)
    return [dict(trial.params) for trial in read_trials(study)]


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp", "qmc"])
def test_a_conditional_search_repeats_itself_across_restarts(sampler: str, tmp_path: Path) -> None:
    options = {"n_startup_trials": 5} if sampler in ("tpe", "gp") else {}
    method = SearchMethod(sampler=sampler, sampler_options=options, pruner="none", seed=3)
    whole = proposals(tmp_path / "whole", method, [TRIALS])
    assert proposals(tmp_path / "parts", method, [1, 7, TRIALS]) == whole
    assert len({tuple(sorted(params.items(), key=str)) for params in whole}) == TRIALS
    assert any("weight_decay" not in params for params in whole)
    assert any("weight_decay" in params for params in whole)


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc"])
def test_another_seed_proposes_other_values(sampler: str, tmp_path: Path) -> None:
    first = proposals(tmp_path / "a", SearchMethod(sampler=sampler, pruner="none", seed=1), [4])
    second = proposals(tmp_path / "b", SearchMethod(sampler=sampler, pruner="none", seed=2), [4])
    assert all(
        one["learning_rate"] != other["learning_rate"] for one, other in zip(first, second, strict=True)
    )


def test_tpe_learns_what_scores(tmp_path: Path) -> None:
    # The score's maximum over the learning rate is at 3e-4; at random, log(lr) is uniform over two decades.
    method = SearchMethod(sampler="tpe", pruner="none", seed=3)
    late = [params["learning_rate"] for params in proposals(tmp_path, method, [36])[20:]]
    near = sum(1.5e-4 < rate < 6e-4 for rate in late) / len(late)
    assert near > 0.5  # at random it is log10(6 / 1.5) / 2 = 0.3
