import json
from collections.abc import Callable

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from autoft.study import tested
from autoft.study.baselines import Baseline
from autoft.study.records import StudyInfo
from autoft.study.stop import Stop
from autoft.tasks.breakdown import Breakdown
from autoft.tracking import store, study_view, tags
from autoft.tracking.projection import Projection

from .conftest import BEGAN, make_trial

START_MS = round(1000 * BEGAN.timestamp())


@pytest.fixture
def client(uri: str) -> MlflowClient:
    return store.connect(uri)


@pytest.fixture
def reopen(client: MlflowClient, make_info: Callable[..., StudyInfo]) -> Callable[..., Projection]:
    def open_(study_id: str = "id-1", **changed: object) -> Projection:
        info = make_info(**changed)
        return Projection.open(client, store.experiment_id(client, info.name), info, study_id)

    return open_


def _run(client: MlflowClient, projection: Projection, number: int) -> Run:
    return client.get_run(projection.trials[number].run_id)


def _all_metrics(client: MlflowClient, run: Run) -> dict[str, list[tuple[int, int, float]]]:
    return {
        name: [
            (one.step, one.timestamp, one.value) for one in client.get_metric_history(run.info.run_id, name)
        ]
        for name in run.data.metrics
    }


def test_complete_trial_has_its_params_curve_objective_and_tags(
    client: MlflowClient, reopen: Callable[..., Projection], study: str
) -> None:
    projection = reopen()
    projection.project(make_trial(0))
    run = _run(client, projection, 0)
    assert run.data.params == {"learning_rate": "3e-05", "unfreeze_depth": "all"}
    history = _all_metrics(client, run)
    # make_trial: scores 0.2, 0.5, 0.4 at steps 10, 20, 30 and after 1, 2, 3 seconds
    assert history["macro_f1"] == [
        (10, START_MS + 1000, 0.2),
        (20, START_MS + 2000, 0.5),
        (30, START_MS + 3000, 0.4),
    ]
    assert [(step, value) for step, _, value in history["objective"]] == [(20, 0.5)]
    assert run.data.metrics["duration_s"] == 60
    assert run.data.metrics["train_loss"] == pytest.approx(1 / 3)
    expected = {
        tags.STUDY: study,
        tags.TRIAL: "0",
        tags.STATE: "COMPLETE",
        tags.SEED: "1000",
        tags.PARENT: projection.parent_id,
    }
    assert {key: run.data.tags[key] for key in expected} == expected
    assert (run.info.status, run.info.start_time, run.info.end_time) == (
        "FINISHED",
        START_MS,
        START_MS + 60_000,
    )


@pytest.mark.parametrize(
    ("state", "status"), [("PRUNED", "KILLED"), ("FAIL", "FAILED"), ("RUNNING", "RUNNING")]
)
def test_only_complete_trials_have_an_objective(
    client: MlflowClient, reopen: Callable[..., Projection], state: str, status: str
) -> None:
    projection = reopen()
    projection.project(make_trial(0, state))
    run = _run(client, projection, 0)
    assert run.info.status == status
    assert "objective" not in run.data.metrics
    assert run.data.tags[tags.STATE] == state


def test_failure_shows_reason_and_traceback(client: MlflowClient, reopen: Callable[..., Projection]) -> None:
    projection = reopen()
    projection.project(make_trial(0, "FAIL", (), reason="loss is NaN at step 7", traceback="Traceback: x\n"))
    run = _run(client, projection, 0)
    assert run.data.tags[tags.REASON] == "loss is NaN at step 7"
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["traceback.txt"]


def test_a_run_says_where_it_comes_from_against_whom_it_was_stopped_and_every_value(
    client: MlflowClient, reopen: Callable[..., Projection]
) -> None:
    projection = reopen()
    projection.project(make_trial(0, origin="default"))
    projection.project(make_trial(1, "PRUNED", stop=Stop(rival=0, share=0.5, behind=0.1)))
    default, stopped = (_run(client, projection, number).data.tags for number in (0, 1))
    assert (default[tags.ORIGIN], stopped[tags.STOP]) == (
        "default",
        "0.1000 behind trial 0 at 50 % of its training",
    )
    assert tags.STOP not in default and tags.ORIGIN not in stopped
    # make_trial's values: two that are searched and one that is not
    assert json.loads(stopped[tags.VALUES]) == {
        "learning_rate": 3e-5,
        "unfreeze_depth": "all",
        "batch_size": 32,
    }


def test_projecting_twice_and_from_a_second_process_changes_nothing(
    client: MlflowClient, reopen: Callable[..., Projection], study: str
) -> None:
    first = reopen()
    first.project(make_trial(0))
    first.project(make_trial(1, "RUNNING"))
    before = [_all_metrics(client, _run(client, first, number)) for number in (0, 1)]
    second = reopen()
    for projection in (first, second):
        projection.project(make_trial(0))
        projection.project(make_trial(1, "RUNNING"))
    place = store.experiment_id(client, study)
    assert len(client.search_runs([place])) == 3  # the parent and two trials
    assert [_all_metrics(client, _run(client, second, number)) for number in (0, 1)] == before


def test_trial_that_starts_again_does_not_double_its_curve(
    client: MlflowClient, reopen: Callable[..., Projection]
) -> None:
    reopen().project(make_trial(0, "RUNNING", (0.2, 0.5)))
    again = make_trial(0).measurements  # trained again, it has the same values at other times
    later = [type(one)(**{**vars(one), "elapsed_s": one.elapsed_s + 7.7}) for one in again]
    projection = reopen()
    projection.project(make_trial(0, measurements=tuple(later)))
    history = _all_metrics(client, _run(client, projection, 0))
    assert [step for step, _, _ in history["macro_f1"]] == [10, 20, 30]


def test_a_second_run_of_a_trial_that_a_late_request_made_goes(
    client: MlflowClient, reopen: Callable[..., Projection]
) -> None:
    projection = reopen()
    projection.project(make_trial(0))
    first = _run(client, projection, 0)
    place, began = first.info.experiment_id, first.info.start_time
    late = [client.create_run(place, began + way, tags=dict(first.data.tags)) for way in (-1, 0, 1)]
    again = reopen()
    again.project(make_trial(0))
    left = client.search_runs([place], f"tags.`{tags.ROLE}` = 'trial'")
    assert [run.info.run_id for run in left] == [first.info.run_id]
    for run in late:
        assert client.get_run(run.info.run_id).info.lifecycle_stage == "deleted"


def test_a_second_parent_that_a_late_request_made_goes_and_its_trials_are_taken(
    client: MlflowClient, reopen: Callable[..., Projection]
) -> None:
    projection = reopen()
    for number in (0, 1, 2):
        projection.project(make_trial(number))
    parent = client.get_run(projection.parent_id)
    late = client.create_run(
        parent.info.experiment_id, parent.info.start_time - 1, tags=dict(parent.data.tags)
    )
    client.set_tag(_run(client, projection, 2).info.run_id, tags.PARENT, late.info.run_id)
    again = reopen()
    assert again.parent_id == projection.parent_id
    assert client.get_run(late.info.run_id).info.lifecycle_stage == "deleted"
    for number in (0, 1, 2):
        assert _run(client, again, number).data.tags[tags.PARENT] == projection.parent_id


def test_another_study_of_the_same_name_keeps_its_own_runs(
    client: MlflowClient, reopen: Callable[..., Projection]
) -> None:
    one, other = reopen("id-1"), reopen("id-2")
    one.project(make_trial(0))
    other.project(make_trial(0, params={"learning_rate": 1e-3}))  # MLflow would refuse to change a param
    assert one.parent_id != other.parent_id
    assert _run(client, one, 0).data.params != _run(client, other, 0).data.params


def test_parent_holds_what_the_trials_share(client: MlflowClient, reopen: Callable[..., Projection]) -> None:
    projection = reopen()
    parent = client.get_run(projection.parent_id)
    assert parent.data.params == {"batch_size": "32", "lr_schedule": "linear"}
    assert json.loads(parent.data.tags[tags.VERSIONS]) == {"torch": "2.13.0"}
    dataset = parent.inputs.dataset_inputs[0].dataset
    assert (dataset.name, dataset.digest) == ("tickets.csv", ("sha256:" + "ab" * 32)[:36])
    assert [file.path for file in client.list_artifacts(projection.parent_id)] == ["space.yaml"]
    assert "objective" not in parent.data.metrics  # else it would stand among the trials


def test_parent_says_the_answer_and_ends_and_is_taken_up_again(
    client: MlflowClient, reopen: Callable[..., Projection]
) -> None:
    projection = reopen()
    trials = [make_trial(0, origin="default"), make_trial(1, scores=(0.75,))]
    for trial in trials:
        projection.project(trial)
    projection.conclude(trials, None)
    projection.end()
    parent = client.get_run(projection.parent_id)
    assert "**Best macro_f1: 0.7500**" in parent.data.tags[tags.NOTE]
    assert "The default configuration (trial 0) has 0.5000." in parent.data.tags[tags.NOTE]
    assert (parent.data.tags[tags.BEST], parent.data.tags[tags.DEFAULT]) == ("1", "0")
    assert parent.info.status == "FINISHED"
    again = reopen(fixed={"batch_size": 64, "epochs": 3})  # another version's default: MLflow keeps the first
    parent = client.get_run(again.parent_id)
    assert (again.parent_id, parent.info.status) == (projection.parent_id, "RUNNING")
    assert parent.data.tags[tags.STATE] == "RUNNING"
    assert (parent.data.params["batch_size"], parent.data.params["epochs"]) == ("32", "3")


def test_parent_has_the_best_score_after_each_trial_what_it_cost_and_goes_on_with_it(
    client: MlflowClient, reopen: Callable[..., Projection]
) -> None:
    trials = [make_trial(number, scores=(score,)) for number, score in enumerate((0.4, 0.75, 0.6))]
    reopen().conclude(trials[:1], None)
    projection = reopen()
    projection.conclude([*trials, make_trial(3, "FAIL", ())], None)
    projection.conclude(trials, None)
    history = client.get_metric_history(projection.parent_id, "best_objective")
    assert [(each.step, each.value) for each in history] == [(1, 0.4), (2, 0.75), (3, 0.75), (4, 0.75)]
    found = client.get_run(projection.parent_id).data.metrics
    names = ("trials_complete", "trials_pruned", "trials_failed", "trials_ended")
    assert [found[name] for name in names] == [3, 0, 1, 4]
    assert found["trial_hours"] == pytest.approx(4 * 60 / 3600)


def test_what_the_test_rows_say_is_on_the_parent_once(
    client: MlflowClient, reopen: Callable[..., Projection], make_info: Callable[..., StudyInfo]
) -> None:
    trials, digest = [make_trial(0)], make_info().data["digest"]
    found = tested.Tested(
        trial=0, seed=trials[0].seed, refit=False, model_uri="models:/tickets/1", metric="macro_f1",
        digest=digest, rows=9, opened=2, breakdown=Breakdown(), objection=None, said="On the sealed test.",
        contenders=(tested.Contender("winner", {"macro_f1": 0.4, "accuracy": 0.5}, 0.1),),
    )  # fmt: skip
    for _ in range(2):
        projection = reopen(tested=found)
        projection.conclude(trials, None)
    parent = client.get_run(projection.parent_id)
    assert (parent.data.metrics["test_macro_f1"], parent.data.metrics["test_accuracy"]) == (0.4, 0.5)
    assert len(client.get_metric_history(projection.parent_id, "test_macro_f1")) == 1
    assert json.loads(parent.data.tags[tags.TEST])["opened"] == 2
    assert "On the sealed test." in parent.data.tags[tags.NOTE]
    reopen(tested=found).conclude([*trials, make_trial(1, scores=(0.9,))], None)  # another wins
    parent = client.get_run(projection.parent_id)
    assert parent.data.tags[tags.TEST] == "" and "sealed" not in parent.data.tags[tags.NOTE]


def test_the_study_has_a_view_of_its_own_runs_in_the_ui(
    client: MlflowClient, reopen: Callable[..., Projection], study: str
) -> None:
    projection = reopen()
    projection.conclude([make_trial(0)], None)
    path = study_view.path(client, study)
    place, key = path.split("?workflowType=machine_learning&viewStateShareKey=")
    assert place == f"/#/experiments/{projection.experiment_id}/runs"
    stored = client.get_experiment(projection.experiment_id).tags[f"mlflow.sharedViewState.{key}"]
    view = json.loads(stored)
    runs = client.search_runs([projection.experiment_id], view["searchFilter"])
    assert {run.info.run_id for run in runs} == {projection.parent_id}
    assert (view["orderByKey"], view["orderByAsc"]) == ("metrics.`objective`", False)
    assert {"params.`learning_rate`", "params.`unfreeze_depth`"} < set(view["selectedColumns"])
    assert study_view.path(client, "no such study") is None


TRIVIAL = Baseline("trivial", {"macro_f1": 0.1, "accuracy": 0.2}, 0.01, 5, 10, 0.5)
FROZEN = Baseline("frozen", {}, None, 5, 10, 2.0, "MemoryError: too large")


def test_each_baseline_is_a_run_below_the_study_s_once(
    client: MlflowClient, reopen: Callable[..., Projection]
) -> None:
    for _ in range(2):  # and a new projection knows them
        projection = reopen(baselines=(TRIVIAL, FROZEN))
        projection.conclude([make_trial(0)], None)
        projection.conclude([make_trial(0)], None)
    found = {
        run.data.tags[tags.BASELINE]: run
        for run in client.search_runs([projection.experiment_id])
        if run.data.tags[tags.ROLE] == "baseline"
    }
    assert len(client.search_runs([projection.experiment_id])) == 3  # with the parent; the trial has none yet
    trivial, frozen = found["trivial"], found["frozen"]
    assert {run.data.tags[tags.PARENT] for run in found.values()} == {projection.parent_id}
    assert (trivial.info.run_name, trivial.info.status) == ("baseline-trivial", "FINISHED")
    assert trivial.data.metrics == {"macro_f1": 0.1, "accuracy": 0.2, "duration_s": 0.5}
    assert trivial.data.params == {"training_rows": "5"}
    assert (frozen.info.status, frozen.data.tags[tags.REASON]) == ("FAILED", "MemoryError: too large")
    assert len(client.get_metric_history(trivial.info.run_id, "macro_f1")) == 1
    note = client.get_run(projection.parent_id).data.tags[tags.NOTE]
    assert "Baselines: trivial 0.1000." in note


def test_a_baseline_whose_run_was_left_half_written_or_twice_is_one_run_in_the_end(
    client: MlflowClient, reopen: Callable[..., Projection]
) -> None:
    first = reopen(baselines=(TRIVIAL,))
    first.conclude([], None)
    whole = first.baselines["trivial"]
    half = client.create_run(first.experiment_id, tags=whole.data.tags)
    again = reopen(baselines=(TRIVIAL,))
    assert again.baselines["trivial"].info.run_id == whole.info.run_id
    assert client.get_run(half.info.run_id).info.lifecycle_stage == "deleted"
    client.delete_run(whole.info.run_id)
    half = client.create_run(first.experiment_id, tags=whole.data.tags)
    reopen(baselines=(TRIVIAL,)).conclude([], None)
    ended = client.get_run(half.info.run_id)
    assert (ended.info.status, ended.data.metrics["macro_f1"]) == ("FINISHED", 0.1)
