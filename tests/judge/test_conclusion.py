"""What is chosen and said for every relation of the configurations compared."""

import numpy as np
import pytest

from autoft.judge.conclusion import decide, median_replica
from autoft.judge.expected import Scores
from autoft.spec.metrics import Metric
from autoft.study.confirmed import Compared

from ..report.records import trial

MORE, LESS = Metric("macro_f1", "maximize", ""), Metric("log_loss", "minimize", "")


def decided(metric=MORE, dropped=(), **of):
    """On rows that say nothing: only the seeds' scores count.

    Names are `dN` for the default and `tN` for others; each has its scores, and its seconds at the end.
    """
    compared, scores = [], {}
    for name, (*values, seconds) in of.items():
        number = int(name[1:])
        compared.append(Compared(number, name[0] == "d", tuple(values), seconds))
        scores[number] = Scores(np.array(values), np.tile(values, (5, 1)))
    return decide(metric, 100, compared, scores, dropped)


def test_what_was_dropped_does_not_win_though_the_others_fell_behind_it_afterwards():
    found = decided(
        dropped=(1,), d0=(0.90, 0.90, 0.6, 0.6, 0.6, 9), t1=(0.85, 0.85, 9), t2=(0.7, 0.7, 0.8, 9)
    )
    assert [each.trial for each in found.compared] == [2, 0, 1]  # means 0.733, 0.72, 0.85
    assert found.chosen == 2


CLEAR, NEAR = (0.80, 0.81, 0.82, 9), (0.79, 0.80, 0.82, 5)


@pytest.mark.parametrize(
    ("metric", "of", "kind", "chosen", "rival", "words"),
    [
        (MORE, {"t3": CLEAR, "d0": (0.5, 0.51, 0.52, 9)}, "beats", 3, 0, "Trial 3 beats all"),
        (
            MORE,
            {"t3": CLEAR, "t5": NEAR, "d0": (0.5, 0.51, 0.52, 9)},
            "tie",
            3,
            5,
            "Trial 3 and trial 5 are tied",
        ),
        (
            MORE,
            {"t3": CLEAR, "d0": NEAR},
            "default",
            3,
            0,
            "Trial 3 is not better than the default (trial 0)",
        ),
        (
            MORE,
            {"d0": CLEAR, "t5": NEAR},
            "default",
            0,
            5,
            "Nothing that was compared is better than the default",
        ),
        (MORE, {"t3": CLEAR}, "alone", 3, None, "Trial 3 is the only configuration"),
        (LESS, {"t3": CLEAR, "t4": (0.5, 0.51, 0.52, 9)}, "beats", 4, 3, "Trial 4 beats all"),
        # Equal means: the cheaper, whatever its number.
        (
            MORE,
            {"t3": CLEAR, "t9": (*CLEAR[:3], 2)},
            "tie",
            9,
            3,
            "The means are equal, so the cheaper was taken.",
        ),
    ],
)
def test_the_best_mean_is_chosen_and_the_interval_decides_what_is_said(
    metric, of, kind, chosen, rival, words
):
    found = decided(metric, **of)
    assert (found.kind, found.chosen, found.lead and found.lead.rival) == (kind, chosen, rival)
    assert words in found.said and "on the 100 validation rows." in found.said


def test_the_sentence_holds_means_difference_and_interval():
    """Variances 0.0001 each over 3 seeds: error sqrt(0.0002 / 3) = 0.0082; Student's t at 4 degrees 2.776."""
    said = decided(t3=CLEAR, d0=(0.5, 0.51, 0.52, 9)).said
    assert said == (
        "Trial 3 beats all that it was compared with, next the default (trial 0): mean macro_f1 0.8100 over "
        "3 fresh seeds against 0.5100, difference +0.3000 (95.0 % interval +0.2773 to +0.3227), on the 100 "
        "validation rows."
    )


@pytest.mark.parametrize(
    ("direction", "scores", "number"),
    [
        ("maximize", (0.1, 0.5, 0.3), 2),
        ("maximize", (0.4, 0.1, 0.3, 0.2), 3),  # the worse of 0.3 and 0.2
        ("minimize", (0.4, 0.1, 0.3, 0.2), 2),
        ("maximize", (0.3, 0.3, 0.3), 1),
    ],
)
def test_the_median_replica_is_registered(direction, scores, number):
    replicas = [trial(i, values=(score,)) for i, score in enumerate(scores)]
    assert median_replica(replicas, direction).number == number
