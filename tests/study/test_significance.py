"""Figures by hand: sqrt((e^2 + f^2) (1 - RHO + SEED_SHARE^2)) with RHO 0.5 and SEED_SHARE 0.75."""

from dataclasses import replace

import pytest

from autoft.study.significance import RHO, SEED_SHARE, Z, error_beside, error_of_difference, more_than_noise

from ..report.records import trial


def with_error(number, score, *errors):
    """A trial whose best measurement is the last one, of which each has an error."""
    values = tuple(score - 0.1 * k for k in reversed(range(len(errors))))
    made = trial(number, values=values)
    measured = [replace(one, error=error) for one, error in zip(made.measurements, errors, strict=True)]
    return replace(made, measurements=tuple(measured))


def test_rows_are_shared_and_seeds_are_not():
    assert (RHO, SEED_SHARE, Z) == (0.5, 0.75, 1.64)
    one, other = with_error(0, 0.70, 0.03), with_error(1, 0.75, 0.04)
    # sqrt(0.03^2 + 0.04^2) = 0.05; the rows leave half of its square, the seeds add nine sixteenths.
    assert error_of_difference(one, other) == pytest.approx((0.0025 * 0.5 + 0.0025 * 0.5625) ** 0.5)
    assert error_of_difference(other, one) == error_of_difference(one, other)


@pytest.mark.parametrize(
    ("score", "more"), [(0.7844, False), (0.7846, True), (0.6156, False), (0.6154, True)]
)
def test_a_difference_counts_from_1_64_standard_errors_on(score, more):
    # 1.64 * 0.05 * sqrt(1.0625) = 0.0845
    one, other = with_error(0, 0.70, 0.03), with_error(1, score, 0.04)
    assert (more_than_noise(one, other), more_than_noise(other, one)) == (more, more)


def test_the_error_is_that_of_the_best_measurement():
    late = with_error(0, 0.7, 0.5, 0.03)
    early = replace(late, best_index=1)
    other = with_error(1, 0.7, 0.04)
    assert error_of_difference(late, other) == pytest.approx(0.05 * 1.0625**0.5)
    assert error_of_difference(early, other) > 0.4


def test_of_what_has_no_error_nothing_is_said():
    known, unknown = with_error(0, 0.7, 0.03), with_error(1, 0.9, None)
    never = replace(trial(2, "FAIL", values=()), best_index=None)
    for other in (unknown, never):
        assert error_of_difference(known, other) is None
        assert more_than_noise(known, other) is None
        assert more_than_noise(other, known) is None


def test_beside_what_has_no_seed_the_trial_s_own_seed_counts_alone():
    one = with_error(0, 0.70, 0.03)
    # The rows leave half of 0.05^2, the trial's seed adds nine sixteenths of 0.03^2.
    assert error_beside(one, 0.04) == pytest.approx((0.0025 * 0.5 + 0.0009 * 0.5625) ** 0.5)
    assert (error_beside(one, None), error_beside(with_error(0, 0.7, None), 0.04)) == (None, None)
