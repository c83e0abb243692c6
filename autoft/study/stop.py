"""Why the pruner stopped a trial."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Stop:
    """At `share` of its budget the trial was `behind` the trial `rival`, or stood no better than it.

    >>> str(Stop(rival=3, share=1 / 3, behind=0.073))
    '0.0730 behind trial 3 at 33 % of the budget'
    >>> str(Stop(rival=3, share=1 / 3, behind=0.0))
    'no better than trial 3 at 33 % of the budget'
    """

    rival: int
    share: float
    behind: float
    """By how much of the objective."""

    def __str__(self) -> str:
        """In words."""
        against = f"{self.behind:.4f} behind" if self.behind > 0 else "no better than"
        return f"{against} trial {self.rival} at {100 * self.share:.0f} % of the budget"
