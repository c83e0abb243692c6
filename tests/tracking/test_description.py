from collections.abc import Callable

from autoft.study.records import StudyInfo
from autoft.study.stop import Stop
from autoft.tracking.description import STOPS_SHOWN, describe
from autoft.tracking.tags import MAX_CHARS

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


def test_it_says_what_the_default_has(make_info: Callable[..., StudyInfo]) -> None:
    default, best = make_trial(0, scores=(0.4,), origin="default"), make_trial(3)
    text = describe(make_info(), [default, best], best, "9", "abc", None)
    assert "(text-classification).\n\nThe default configuration (trial 0) has 0.4000.\n\n|" in text
    unfinished = make_trial(0, "PRUNED", (0.4,), origin="default")
    text = describe(make_info(), [unfinished, best], best, "9", "abc", None)
    assert "The default (trial 0) did not finish, so it is unknown whether the winner is better" in text


def test_it_says_where_the_winner_has_nothing_over_the_default(make_info: Callable[..., StudyInfo]) -> None:
    default = make_trial(0, scores=(0.49,), error=0.02, origin="default")
    best = make_trial(3, error=0.02)
    # sqrt(2) * 0.02 * sqrt(1.0625) = 0.0292
    assert "no more than noise: 0.5000 against 0.4900, standard error 0.0292." in describe(
        make_info(), [default, best], best, "9", "abc", None
    )
    assert "The winner is the default configuration" in describe(
        make_info(), [default], default, "9", "abc", None
    )


def test_it_says_against_whom_trials_were_stopped_the_latest_first(
    make_info: Callable[..., StudyInfo],
) -> None:
    def stopped(number: int) -> object:
        return make_trial(number, "PRUNED", (0.2,), stop=Stop(rival=3, share=1 / 3, behind=0.073))

    text = describe(
        make_info(), [stopped(4), stopped(5), make_trial(6)], make_trial(6), "9", "abc", "models:/x/1"
    )
    assert text.endswith(
        "| stopped trial | score | why |\n|---|---|---|\n"
        "| 5 | 0.2000 | 0.0730 behind trial 3 at 33 % of its training |\n"
        "| 4 | 0.2000 | 0.0730 behind trial 3 at 33 % of its training |"
    )
    assert text.index("load_model") < text.index("stopped trial")
    many = describe(make_info(), [stopped(n) for n in range(500)], make_trial(6), "9", "abc", None)
    assert many.count("behind trial 3") == STOPS_SHOWN
    assert many.endswith(f"{500 - STOPS_SHOWN} more: see the tag `autoft.stop` of their runs.")
    assert len(many) < MAX_CHARS
