"""A model that goes to a real MLflow store and back, and what is left of it there."""

import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType

from autoft.errors import TrackingError
from autoft.tracking import rehearsed, store

from .conftest import make_trial
from .test_registry import _tuned


def experiments(uri, study, view):
    found = MlflowClient(uri).search_experiments(view)
    return [each for each in found if each.name.startswith(f"autoft-rehearsal-{study}")]


def deleted(uri, study):
    """The experiments of the rehearsals, none of which is active; the server is shared by tests."""
    assert experiments(uri, study, ViewType.ACTIVE_ONLY) == []
    client = MlflowClient(uri)
    found = experiments(uri, study, ViewType.DELETED_ONLY)
    for each in found:
        assert client.search_logged_models([each.experiment_id]) == []
        for run in client.search_runs([each.experiment_id], run_view_type=ViewType.ALL):
            assert run.info.lifecycle_stage == "deleted"
            assert client.list_artifacts(run.info.run_id) == []
    assert not [each for each in client.search_registered_models() if study in each.name]
    return found


@pytest.mark.parametrize("example", [("my card",), ("my card", "where is the money")])
def test_there_and_back_and_away(uri, study, make_info, tmp_path, example):
    tuned = _tuned(tmp_path / "models" / "tiny", example)
    size = rehearsed.try_model(uri, make_info(), make_trial(0), tuned)
    assert size > 1000
    assert len(deleted(uri, study)) == 1
    assert list(tmp_path.rglob("*.safetensors")) == [tmp_path / "models" / "tiny" / "model.safetensors"]


def test_a_store_that_does_not_take_the_model_is_a_tracking_error(
    uri, study, make_info, tmp_path, monkeypatch
):

    def full(*_):
        raise OSError("no space left on the device of the artifact store")

    monkeypatch.setattr(store.MlflowClient, "log_model_artifacts", full)
    tuned = _tuned(tmp_path / "models" / "tiny", ("my card",))
    with pytest.raises(TrackingError, match="no space left on the device of the artifact store"):
        rehearsed.try_model(uri, make_info(), make_trial(0), tuned)
    assert len(deleted(uri, study)) == 1
