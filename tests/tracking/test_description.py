from collections.abc import Callable

from autoft.study.records import StudyInfo
from autoft.tracking.description import describe

from .conftest import make_trial


def test_it_says_the_answer_first(make_info: Callable[..., StudyInfo]) -> None:
    best = make_trial(3)
    text = describe(make_info(), [best, make_trial(4, "FAIL")], best, "9", "abc", "models:/tickets/2")
    assert text.splitlines()[0] == (
        "**Best macro_f1: 0.5000**, [trial 3](#/experiments/9/runs/abc?workflowType=machine_learning)"
        " with org/tiny (text-classification)."
    )
    assert "| learning_rate | 3e-05 |\n| unfreeze_depth | all |" in text
    assert "2 trials: 1 complete, 1 failed." in text
    assert 'mlflow.transformers.load_model("models:/tickets/2")' in text


def test_before_a_trial_is_complete_it_says_what_is_sought(make_info: Callable[..., StudyInfo]) -> None:
    text = describe(make_info(), [make_trial(0, "RUNNING")], None, "9", None, None)
    assert text.startswith("No trial is complete yet. The study maximizes `macro_f1`")
    assert "load_model" not in text
