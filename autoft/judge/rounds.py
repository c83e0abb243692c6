"""Which replicas come next: what cannot win any more is dropped, and its seeds go to where it is close.

All candidates get FEWEST seeds, then one more each. After each round a candidate is dropped if it is worse
than the best at DROP_LEVEL. When the others have all their seeds, those that are left over go, one each and
round by round, to the two best, until they are spent or all but one are dropped.

To look after each round is to test several times. So what is dropped is worse at a stricter level than what
is said at the end, an interval of all seeds at its usual level (the idea is Haybittle's, 1971,
doi 10.1259/0007-1285-44-526-793). That it keeps its level, and that the best is dropped in 1 of 700 studies,
is simulated: experiments/honesty.py.

Each answer is found from the first seed on, from what has ended: neither the order in which replicas end nor
a killed session changes it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from autoft.judge.expected import Scores, corrected, difference, together
from autoft.spec.metrics import Metric

FEWEST = 2
"""Complete replicas without which a configuration is not compared."""
DROP_LEVEL = 0.99
"""Of the comparisons of one look together."""

Shown = Mapping[int, Mapping[int, Scores | None]]
"""By candidate, then by place of the seed, from 0: what its replica scores. None if it failed; a place is
absent while its replica has not ended."""


@dataclass(frozen=True)
class Rounds:
    """How far a confirmation is."""

    seeds: Mapping[int, int]
    """How many seeds of each candidate are needed, as far as is known. If all have ended, all is over."""
    dropped: tuple[int, ...]
    """Candidates that get no more."""


def rounds(metric: Metric, seeds: int, shown: Shown) -> Rounds:
    """The replicas that are needed, by what has ended so far.

    Args:
        metric: the study's objective.
        seeds: how many each candidate would get if none was dropped.
        shown: of all candidates, at least one.
    """
    needed, racing = dict.fromkeys(shown, FEWEST), list(shown)
    left = (seeds - FEWEST) * len(shown)
    while all(place in shown[each] for each in shown for place in range(needed[each])):
        ranked = _ranked(metric, {each: _complete(shown[each], needed[each]) for each in racing})
        worse = _worse(metric, ranked, corrected(len(shown), DROP_LEVEL))
        racing = [each for each in racing if each not in worse]
        more = [each for each in racing if needed[each] < seeds] or _two_best(ranked, worse)
        if len(racing) == 1 or not 0 < len(more) <= left:
            break
        needed.update({each: needed[each] + 1 for each in more})
        left -= len(more)
    return Rounds(needed, tuple(each for each in shown if each not in racing))


def _complete(of: Mapping[int, Scores | None], seeds: int) -> list[Scores]:
    return [score for place in range(seeds) if (score := of[place]) is not None]


def _ranked(metric: Metric, complete: Mapping[int, Sequence[Scores]]) -> dict[int, Scores]:
    """Those with enough complete replicas, the best mean first; the others are neither best nor worse."""
    enough = {each: together(of) for each, of in complete.items() if len(of) >= FEWEST}
    sign = -1 if metric.direction == "maximize" else 1
    return dict(sorted(enough.items(), key=lambda item: (sign * item[1].whole.mean(), item[0])))


def _two_best(ranked: Iterable[int], worse: set[int]) -> list[int]:
    """Nobody if there are not two."""
    best = [each for each in ranked if each not in worse][:2]
    return best if len(best) == 2 else []


def _worse(metric: Metric, ranked: Mapping[int, Scores], level: float) -> set[int]:
    """Those that differ from the best by more than noise."""
    best = next(iter(ranked.values()), None)
    return {
        each
        for each, scores in ranked.items()
        if best is not None and scores is not best and difference(best, scores, level).excludes_0
    }
