"""The verdict on rows that nothing has seen: the winner beside the default and the baselines, once.

Validation scores chose the winner, so the best of many is partly the luckiest. The test rows chose nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from autoft.data.targets import Targets
from autoft.kernel.paired import LEVEL, MIN_ROWS, PairedDifference, paired_difference
from autoft.spec.metrics import Metric
from autoft.study.baselines import TRIVIAL
from autoft.study.tested import DEFAULT, WINNER, Contender
from autoft.tasks.protocol import Scorable, Task

_TIMES = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


@dataclass(frozen=True)
class Verdict:
    """What the test rows say."""

    contenders: tuple[Contender, ...]
    objection: str | None
    said: str


def judge(
    task: Task,
    metric: Metric,
    targets: Targets,
    answers: Mapping[str, Scorable],
    rival: str | None,
    opened: int,
) -> Verdict:
    """Scores all contenders and compares the winner with each.

    Args:
        task: what all were trained for.
        metric: the study's objective.
        targets: what was learned of the target column.
        answers: what each says of the test rows, by name: WINNER first, DEFAULT unless it is the winner or is
            not there, and the baselines.
        rival: the baseline that was best on the validation rows: choosing it here would favor it.
        opened: how often the rows have been opened, this time included.
    """
    beside = {
        name: paired_difference(task, metric.name, answers[WINNER], each, targets)
        for name, each in answers.items()
        if name != WINNER
    }
    contenders = [_contender(task, metric, targets, name, each, beside) for name, each in answers.items()]
    best = contenders[0]
    rows = len(next(iter(answers[WINNER][0].values())))
    said = [
        f"On the sealed test ({rows:,} rows, opened for the {times(opened)} time) the winner has "
        f"{metric.name} {best.metrics[metric.name]:.4f}" + _with_error(best) + "."
    ]
    said += [
        f"It {_compared(beside[name])} the {label}, {beside[name].other:.4f}: {_interval(beside[name])}."
        for name, label in ((DEFAULT, "default"), (rival, f"{rival} baseline"))
        if name in beside
    ]
    if opened > 1:
        said.append("Each further opening makes a test less of a test.")
    return Verdict(tuple(contenders), _objection(beside), " ".join(said))


def times(number: int) -> str:
    """The ordinal.

    >>> times(3), times(12), times(21)
    ('third', '12th', '21st')
    """
    if number <= len(_TIMES):
        return _TIMES[number - 1]
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _contender(
    task: Task,
    metric: Metric,
    targets: Targets,
    name: str,
    answers: Scorable,
    beside: Mapping[str, PairedDifference],
) -> Contender:
    error, apart = task.error(metric.name, *answers), beside.get(name)
    ends = () if apart is None else (apart.low, apart.high)
    return Contender(name, task.score(*answers, targets), error, *ends)


def _objection(beside: Mapping[str, PairedDifference]) -> str | None:
    """Why the winner is not to be used; few rows are no reason."""
    if any(each.rows < MIN_ROWS for each in beside.values()):
        return None
    trivial, default = beside.get(TRIVIAL), beside.get(DEFAULT)
    if trivial is not None and not trivial.is_better:
        return (
            f"nothing was learned: on the test rows its {trivial.metric.name} is {trivial.one:.4f}, and that "
            f"of a model that hardly reads them is {trivial.other:.4f}, no worse by more than chance"
        )
    if default is not None and default.is_worse:
        return f"on the test rows it is worse than the default: {default.one:.4f} against {default.other:.4f}"
    return None


def _compared(found: PairedDifference) -> str:
    if found.is_better:
        return "is better than"
    return "is worse than" if found.is_worse else "differs by no more than chance from"


def _interval(found: PairedDifference) -> str:
    return f"{found.one - found.other:+.4f} [{found.low:+.4f}, {found.high:+.4f}] at {100 * LEVEL:.0f} %"


def _with_error(found: Contender) -> str:
    return "" if found.error is None else f", standard error {found.error:.4f}"
