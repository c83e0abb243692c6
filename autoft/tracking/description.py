"""The parent run's description: the study's answer, in Markdown that the MLflow UI shows first."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from autoft.study.comparison import (
    as_confirmed,
    beside_baselines,
    compare,
    refit_standing,
    standing,
    tested_standing,
    without_default,
)
from autoft.tracking import tags

if TYPE_CHECKING:
    from autoft.study.records import StudyInfo, TrialRecord

STOPS_SHOWN = 30
"""How many of the latest stops are listed; each run has a tag with its own."""
_WORDS = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running"}


def describe(
    info: "StudyInfo",
    trials: Sequence["TrialRecord"],
    best: "TrialRecord | None",
    experiment_id: str,
    run_id: str | None,
    model_uri: str | None,
) -> str:
    """The answer so far: which trial won with which parameters, the default's score, how to load the model.

    At the end come the trials that the pruner stopped, and why.

    `run_id` is the winner's, for a link; `model_uri` the registered version, or None before it is registered.
    """
    if info.confirms is not None:
        return (
            f"The best configurations of the study {info.confirms} and its default, trained again on fresh "
            f"seeds. Which one was chosen stands in that study's run.\n\n{_counts(trials)}"
        )
    stands = standing(info.confirmed, trials, info.direction)
    best = best and as_confirmed(best, stands)
    paragraphs = [_answer(info, best, experiment_id, run_id)]
    comparison = compare(best, trials, stands)
    if stands:
        paragraphs.append(f"Confirmed on fresh seeds. {stands.said}")
    elif comparison is not None:
        paragraphs.append(comparison.verdict or comparison.fact)
    if best is not None and (missing := without_default(trials)):
        paragraphs.append(missing)
    if refitted := refit_standing(info, trials):
        paragraphs.append(refitted.said)
    if tested := tested_standing(info, trials):
        paragraphs.append(tested.said)
    if info.baselines:
        paragraphs.append(_baselines(info, best))
    if best is not None and best.params:
        paragraphs.append(_table(best.params))
    paragraphs.append(_counts(trials))
    if model_uri is not None:
        paragraphs.append(
            f'```python\nimport mlflow\nmodel = mlflow.transformers.load_model("{model_uri}")\n```'
        )
    if stops := _stops(trials):
        paragraphs.append(stops)
    return tags.clip("\n\n".join(paragraphs))


def _answer(info: "StudyInfo", best: "TrialRecord | None", experiment_id: str, run_id: str | None) -> str:
    if best is None or best.score is None:
        return f"No trial is complete yet. The study {info.direction}s `{info.objective}` ({info.task})."
    name = f"trial {best.number}"
    link = (
        f"[{name}](#/experiments/{experiment_id}/runs/{run_id}?workflowType=machine_learning)"
        if run_id
        else name
    )
    model = f" with {info.models[0]}" if len(info.models) == 1 else ""
    return f"**Best {info.objective}: {best.score:.4f}**, {link}{model} ({info.task})."


def _table(params: Mapping[str, object]) -> str:
    rows = [f"| {name} | {_short(value)} |" for name, value in params.items()]
    return "\n".join(["| parameter | value |", "|---|---|", *rows])


def _baselines(info: "StudyInfo", best: "TrialRecord | None") -> str:
    scored = [f"{each.name} {each.metrics[info.objective]:.4f}" for each in info.baselines if not each.failed]
    if not scored:
        return "No baseline could be fitted."
    verdict = beside_baselines(best, info)
    return f"Baselines: {', '.join(scored)}." + (f" {verdict}" if verdict else "")


def _stops(trials: Sequence["TrialRecord"]) -> str:
    """The trials that the pruner stopped, the latest first."""
    stopped = [trial for trial in reversed(trials) if trial.stop is not None]
    if not stopped:
        return ""
    rows = [f"| {each.number} | {each.score:.4f} | {each.stop} |" for each in stopped[:STOPS_SHOWN]]
    left_out = len(stopped) - len(rows)
    more = [f"\n{left_out} more: see the tag `{tags.STOP}` of their runs."] if left_out else []
    return "\n".join(["| stopped trial | score | why |", "|---|---|---|", *rows, *more])


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _counts(trials: Sequence["TrialRecord"]) -> str:
    counts = Counter[str](trial.state for trial in trials)
    said = ", ".join(f"{counts[state]} {word}" for state, word in _WORDS.items() if counts[state])
    return f"{len(trials)} trials" + (f": {said}." if said else ".")
