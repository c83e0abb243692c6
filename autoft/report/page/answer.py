"""The answer in words: who wins, and whether that is more than what one has without a search."""

from autoft.report import words
from autoft.report.page.reported import Reported
from autoft.study.baselines import best_baseline
from autoft.study.comparison import beside_baselines, nothing_learned, refit_standing, without_default
from autoft.study.significance import more_than_noise
from autoft.study.tested import DEFAULT, Tested


def answer(reported: Reported) -> str:
    """One sentence: who wins, with what score, beside the default and the best baseline."""
    winner, info, tested = reported.scored_winner, reported.info, reported.tested
    if winner is None:
        failed = reported.trials and all(trial.state == "FAIL" for trial in reported.trials)
        return "No trial succeeded, so there is no winner." if failed else "No trial is complete yet."
    objection = tested.objection if tested is not None else nothing_learned(winner, info)
    if objection is not None:
        return f"Trial {winner.number} leads, but {objection}."
    verb = "leads" if reported.shown.searched or reported.shown.left else "wins"
    name = f"Trial {winner.number} {verb} with {info.objective}"
    if tested is not None:
        found, parts = (
            f"{name} {words.score(tested.score)} on the sealed test",
            _on_test_rows(reported, tested),
        )
    else:
        found, parts = f"{name} {words.score(winner.score)} on validation rows", _on_validation_rows(reported)
    return f"{found}: {', '.join(parts)}." if parts else f"{found}."


def _on_test_rows(reported: Reported, tested: Tested) -> list[str]:
    """How the winner stands beside the default and the best baseline, by their intervals."""
    info = reported.info
    sign = 1 if info.direction == "maximize" else -1
    rival = best_baseline(info.baselines, info.objective, info.direction)
    names = {DEFAULT: "the default"} | ({rival.name: f"the {rival.name} baseline"} if rival else {})
    is_default = reported.comparison is not None and reported.comparison.is_default
    beside: dict[str, list[str]] = {}
    for name, called in names.items():
        found = tested.contender(name)
        if found is not None and found.low is not None and found.high is not None:
            low, high = sorted((sign * found.low, sign * found.high))
            than = "better" if low > 0 else "worse" if high < 0 else "no better by more than chance"
            beside.setdefault(than, []).append(called)
    said = [f"{than} than {' and '.join(called)}" for than, called in beside.items()]
    return ["it is the default configuration", *said] if is_default else said


_CONFIRMED = {
    "beats": "better than all others on fresh seeds",
    "tie": "tied with another on fresh seeds",
    "default": "no better than the default on fresh seeds",
    "alone": "the only one with enough fresh seeds",
}


def _on_validation_rows(reported: Reported) -> list[str]:
    """How it stands beside the default, in no clause or one."""
    comparison = reported.comparison
    if reported.confirmed is not None:
        return [_CONFIRMED[reported.confirmed.kind]]
    if comparison is None:
        missing = without_default(reported.trials)
        return ["it is unknown whether it is better than the default"] if missing else []
    if comparison.is_default:
        return ["it is the default configuration"]
    better = more_than_noise(comparison.winner, comparison.default)
    if better is None:
        return [f"the default has {words.score(comparison.default.score)}"]
    return [f"{'' if better else 'no '}better than the default by more than noise"]


def sentences(reported: Reported) -> list[str]:
    """What is said at the end of a search, and that it goes on if it does."""
    info, said = reported.info, []
    if reported.confirmed is not None:
        registered = (
            f"The model is the replica with the median score, {words.score(reported.confirmed.score)}."
        )
        said.append(f"{reported.confirmed.said} {registered}")
    elif reported.comparison is not None and reported.tested is None:
        said.append(reported.comparison.said)
    if reported.winner is not None and (missing := without_default(reported.trials)):
        said.append(missing)
    if reported.tested is not None:
        said.append(reported.tested.said)
    elif verdict := beside_baselines(reported.scored_winner, info):
        said.append(verdict)
    if refitted := refit_standing(info, reported.trials):
        said.append(refitted.said)
    if reported.promoted is not None:
        said.append(f"At the end of the search: {reported.promoted.said}")
    if reported.shown.searched:
        said.append("The search is running; this page is of the moment below.")
    elif left := reported.shown.left:
        said.append(f"The search is not over: {left}. The same command goes on.")
    return said
