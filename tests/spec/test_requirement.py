import pytest

from autoft.spec.metrics import Metric
from autoft.spec.requirement import read_requirement

F1 = Metric("macro_f1", "maximize", "")
ERROR = Metric("rmse", "minimize", "")


def test_a_bound_is_good_enough_and_no_score_is_not() -> None:
    least = read_requirement("macro_f1>=0.85", F1)
    assert [least.is_met(score) for score in (0.85, 0.9, 0.8499, float("nan"), None)] == [
        *(True, True),
        *(False, False, False),
    ]
    most = read_requirement(" rmse <= 5e-1 ", ERROR)
    assert [most.is_met(score) for score in (0.5, 0.1, 0.51, None)] == [True, True, False, False]


@pytest.mark.parametrize(
    ("text", "objective", "said"),
    [
        ("macro_f1", F1, r"^must be macro_f1>=NUMBER, the study's objective .*, got 'macro_f1'"),
        ("macro_f1>0.85", F1, "got 'macro_f1>0.85'"),
        ("macro_f1=>0.85", F1, "got 'macro_f1=>0.85'"),
        ("macro_f1>=good", F1, "got 'good' as the number"),
        ("macro_f1>=nan", F1, "got 'nan' as the number"),
        ("accuracy>=0.85", F1, "got the metric 'accuracy'"),
        ("macro_f1<=0.85", F1, "got '<=': of macro_f1 more is better"),
        ("rmse>=0.85", ERROR, r"^must be rmse<=NUMBER.* got '>=': of rmse less is better"),
    ],
)
def test_what_asks_nothing_that_can_be_checked_is_refused(text: str, objective: Metric, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_requirement(text, objective)
