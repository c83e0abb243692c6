"""Which configuration a confirmation chooses, and what may be said of it.

The one with the best mean over the fresh seeds is chosen; of equal means (to ROUNDED decimals) the cheaper
to train, by measured seconds. Whether it is better by more than noise decides what is said, not what is
chosen: to take the cheaper of two that are tied would cost more than the confirmation gains
(experiments/LOG.md).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median

from autoft.judge.expected import Scores, corrected, difference
from autoft.spec.metrics import Metric
from autoft.study.confirmed import Compared, Kind, Lead
from autoft.study.records import TrialRecord

ROUNDED = 4
"""Decimals of a mean that are shown; what differs beyond them is the same."""


@dataclass(frozen=True)
class Conclusion:
    """What is concluded."""

    compared: tuple[Compared, ...]
    """The best mean first."""
    kind: Kind
    lead: Lead | None
    said: str
    """In a sentence or two."""

    @property
    def chosen(self) -> int:
        """The number of the search's trial that had the chosen configuration."""
        return self.compared[0].trial


def decide(
    metric: Metric,
    rows: int,
    compared: Sequence[Compared],
    scores: Mapping[int, Scores],
    dropped: Collection[int] = (),
) -> Conclusion:
    """Chooses among the configurations `compared`, at least one.

    Args:
        metric: the study's objective.
        rows: validation rows.
        compared: in any order, at least `rounds.FEWEST` scores each.
        scores: of each, by the number of its trial.
        dropped: the trials that could not win any more (`judge.rounds`): they come last.
    """
    sign = -1 if metric.direction == "maximize" else 1

    def rank(each: Compared) -> tuple[bool, float, int, int]:
        mean = sign * round(each.mean, ROUNDED)
        return each.trial in dropped, mean, round(each.training_s), each.trial

    found = tuple(sorted(compared, key=rank))
    best, level = found[0], corrected(len(found))
    leads = {each.trial: difference(scores[best.trial], scores[each.trial], level) for each in found[1:]}
    tied = [each for each in found[1:] if not leads[each.trial].excludes_0]
    default = next((each for each in found if each.is_default), None)
    kind: Kind
    if len(found) == 1:
        kind, rival = "alone", None
    elif default is not None and (default is best or default in tied):
        kind, rival = "default", found[1] if default is best else default
    else:
        kind, rival = ("tie", tied[0]) if tied else ("beats", found[1])
    lead = None if rival is None else Lead(rival.trial, **asdict(leads[rival.trial]))
    headline = _headline(kind, best, rival)
    said = f"{headline[0].upper()}{headline[1:]}: {_figures(metric.name, rows, best, rival, lead)}"
    if rival in tied and default is not best:
        same = round(best.mean, ROUNDED) == round(rival.mean, ROUNDED)
        said += (
            " The means are equal, so the cheaper was taken."
            if same
            else " The one with the better mean was taken."
        )
    return Conclusion(found, kind, lead, said)


def _headline(kind: Kind, best: Compared, rival: Compared | None) -> str:
    one = _name(best)
    if rival is None:
        return f"{one} is the only configuration with replicas to compare"
    if kind == "beats":
        return f"{one} beats all that it was compared with, next {_name(rival)}"
    if kind == "tie":
        return f"{one} and {_name(rival)} are tied"
    if best.is_default:
        return f"nothing that was compared is better than {one}, next {_name(rival)}"
    return f"{one} is not better than {_name(rival)} by more than noise"


def _figures(metric: str, rows: int, best: Compared, rival: Compared | None, lead: Lead | None) -> str:
    """Only what the validation rows say: the candidates were chosen on them."""
    mean = f"mean {metric} {best.mean:.4f} over {len(best.scores)} fresh seeds"
    if rival is None or lead is None:
        return f"{mean} on the {rows:,} validation rows."
    fewer = "" if len(rival.scores) == len(best.scores) else f" over {len(rival.scores)}"
    return (
        f"{mean} against {rival.mean:.4f}{fewer}, difference {lead.difference:+.4f} "
        f"({100 * lead.level:.1f} % interval {lead.low:+.4f} to {lead.high:+.4f}), "
        f"on the {rows:,} validation rows."
    )


def _name(of: Compared) -> str:
    return f"the default (trial {of.trial})" if of.is_default else f"trial {of.trial}"


def median_replica(replicas: Sequence[TrialRecord], direction: str) -> TrialRecord:
    """The complete replica with the median score; of an even number the worse of the two in the middle.

    Of equal scores it is the earliest.
    """
    sign = -1 if direction == "maximize" else 1
    by_score = sorted(replicas, key=lambda each: (sign * (each.score or 0.0), each.number))
    return by_score[len(by_score) // 2]


def compared_of(
    trial: TrialRecord, is_default: bool, replicas: Sequence[TrialRecord], scores: Scores
) -> Compared:
    """A configuration with what its complete replicas have shown."""
    took = [sum(each.training_s for each in replica.measurements) for replica in replicas]
    return Compared(trial.number, is_default, tuple(scores.whole.tolist()), float(median(took)))
