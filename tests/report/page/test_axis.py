import pytest

from autoft.report.page.axis import Axis, Names, of_domain
from autoft.spec.space import Choice, Range


def test_an_axis_that_goes_up_has_its_largest_value_at_the_top():
    across, up = Axis(0, 10), Axis(0, 10, up=True)
    assert [across.at(each) for each in (0, 2.5, 10)] == [0, 25, 100]
    assert [up.at(each) for each in (0, 2.5, 10)] == [100, 75, 0]
    assert (across.at(-1), across.at(11)) == (0, 100)


def test_a_log_axis_has_equal_ratios_at_equal_distances():
    axis = Axis(1e-4, 1, log=True)
    assert [axis.at(each) for each in (1e-4, 1e-3, 1e-2, 1)] == [0, 25, 50, 100]


@pytest.mark.parametrize(
    ("axis", "labels"),
    [
        (Axis(0, 10), ["0", "2", "4", "6", "8", "10"]),
        (Axis(-0.5, 23.5), ["0", "5", "10", "15", "20"]),
        (Axis(0.812, 0.884), ["0.82", "0.84", "0.86", "0.88"]),
        (Axis(1e-5, 1e-1, log=True), ["1e-05", "0.0001", "0.001", "0.01", "0.1"]),
        (Axis(1e-4, 3e-3, log=True), ["0.0001", "0.0002", "0.0005", "0.001", "0.002"]),
        (Axis(3.1, 4.9, log=True), ["3.1", "4.9"]),
    ],
)
def test_labels_are_a_few_round_numbers_within(axis, labels):
    assert [tick.label for tick in axis.ticks] == labels


@pytest.mark.parametrize("values", [[], [float("nan")], [0.0], [0.5, 0.5]])
def test_values_without_a_span_have_an_axis_all_the_same(values):
    axis = Axis.around(values, up=True)
    assert axis.low < axis.high
    assert axis.ticks


def test_the_values_of_a_choice_lie_side_by_side():
    axis = of_domain(Choice((0, 2, "all")))
    assert isinstance(axis, Names)
    assert [(tick.at, tick.label) for tick in axis.ticks] == [(16.67, "0"), (50.0, "2"), (83.33, "all")]
    assert axis.at(2, -1) == 40.0


def test_the_axis_of_a_range_has_its_scale_and_a_margin():
    axis = of_domain(Range(1e-4, 1e-2, integer=False, log=True))
    assert axis.at(1e-3) == 50
    assert 0 < axis.at(1e-4) < 5
