"""A model card of the winner, in Markdown: a text to begin with (arXiv 1810.03993)."""

from collections.abc import Mapping
from typing import Any

from autoft.report import words
from autoft.report.page.blocks import Code, Section
from autoft.report.page.reported import Reported
from autoft.study.comparison import beside_baselines, refit_standing


def model_card(reported: Reported) -> Section | None:
    """What the study knows of the model; what only its owner knows is left to be filled in."""
    if reported.winner is None:
        return None
    told = [_model(reported), _data(reported.info.data), _training(reported), _evaluation(reported), _OWNERS]
    return Section("Model card", "a text to begin with", [Code("\n\n".join(told))])


_OWNERS = """\
## Use and limits

To be filled in by the owner: what the model is for, what it must not be used for, whom its
mistakes concern."""


def _model(reported: Reported) -> str:
    info, winner = reported.info, reported.winner
    assert winner is not None
    base = winner.values.get("model", info.models[0])
    return f"# {info.name}\n\nA model for {info.task}, fine-tuned from {base} by autoft {_version(reported)}."


def _version(reported: Reported) -> str:
    return reported.info.versions.get("autoft", "")


def _data(data: Mapping[str, Any]) -> str:
    rows = ", ".join(f"{count:,} {split}" for split, count in data.get("rows", {}).items())
    inputs, target = ", ".join(data.get("inputs", ())), data.get("target", "")
    return f"## Data\n\n{data.get('source', '')}: {inputs} in, {target} out. Rows: {rows}."


def _training(reported: Reported) -> str:
    assert reported.winner is not None
    values = "\n".join(f"- {name}: {words.value(value)}" for name, value in reported.winner.values.items())
    trials = words.count(len(reported.trials), "trial")
    return f"## Training\n\nTrial {reported.winner.number} of {trials}.\n\n{values}"


def _evaluation(reported: Reported) -> str:
    winner = reported.winner
    assert winner is not None
    best = next(each for each in winner.measurements if each.index == winner.best_index)
    scores = "\n".join(
        f"- {name}: {words.score(value)}" for name, value in best.metrics.items() if name != "train_loss"
    )
    said = []
    if reported.confirmed is not None:
        said.append(
            f"{reported.confirmed.said} The model is the replica with the median score, "
            f"{words.score(reported.confirmed.score)}."
        )
    said += [reported.comparison.said] if reported.comparison is not None and not said else []
    if reported.tested is not None:
        said.append(reported.tested.said)
    elif beside := beside_baselines(reported.scored_winner, reported.info):
        said.append(beside)
    refitted = refit_standing(reported.info, reported.trials)
    said += [refitted.said] if refitted is not None else []
    whose = "Of this trial in the search, on" if reported.confirmed is not None else "On"
    on = f"{whose} the validation rows, on which it was also chosen:"
    return "\n\n".join(["## Evaluation", on, scores, *said])
