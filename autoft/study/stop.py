"""Why the pruner stopped a trial."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Stop:
    """At `share` of its training the trial was `behind` the trial `rival`, or no better than it.

    >>> str(Stop(rival=3, share=1 / 3, behind=0.073))
    '0.0730 behind trial 3 at 33 % of its training'
    >>> str(Stop(rival=3, share=1 / 3, behind=0.0))
    'no better than trial 3 at 33 % of its training'
    """

    rival: int
    share: float
    behind: float
    """The difference of their scores."""

    def __str__(self) -> str:
        """The stop as a phrase."""
        against = f"{self.behind:.4f} behind" if self.behind > 0 else "no better than"
        return f"{against} trial {self.rival} at {100 * self.share:.0f} % of its training"
