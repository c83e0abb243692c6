"""A tracking server that makes trouble delays the record and loses or doubles nothing of it."""

import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from mlflow import MlflowClient

from autoft.study.records import StudyInfo
from autoft.tracking import runs, store, tags
from autoft.tracking.recorder import Recorder

from .conftest import make_trial
from .fault_proxy import FaultProxy, fault_proxy

WAIT_S = 90.0
STATUS = {"COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAIL": "FAILED"}


@pytest.fixture
def proxy(server: str) -> Iterator[FaultProxy]:
    with fault_proxy(server) as found:
        yield found


def published(server: str, study: str) -> tuple[Counter[str], dict[int, tuple[str, str, int]]]:
    """Runs by role, and by trial its state, its status and how often its objective was measured."""
    client = MlflowClient(server)
    found = list(runs.search(client, runs.every_experiment(client), runs.has(STUDY=study)))
    trials = {}
    for run in found:
        if run.data.tags[tags.ROLE] == "trial":
            history = client.get_metric_history(run.info.run_id, "macro_f1")
            trials[int(run.data.tags[tags.TRIAL])] = (
                run.data.tags[tags.STATE],
                run.info.status,
                len({one.step for one in history}),
            )
    return Counter(run.data.tags[tags.ROLE] for run in found), trials


@pytest.mark.parametrize("mode", ["gone", "slow", "500 before", "500 after"])
def test_what_a_faulty_server_missed_is_there_once_when_it_is_well_again(
    mode: str, server: str, proxy: FaultProxy, study: str, make_info: Callable[..., StudyInfo]
) -> None:
    trials = {number: make_trial(number, "RUNNING", (0.2,)) for number in range(6)}
    recorder = Recorder(
        proxy.url, study, "id-1", make_info, trials.__getitem__, calm_s=0.01, longest_pause_s=0.2
    )
    recorder.started(0)
    assert recorder.flush(WAIT_S) is None
    proxy.mode, began_s, longest_s = mode, time.monotonic(), 0.0
    for number in trials:
        for state in ("RUNNING", ("COMPLETE", "PRUNED", "FAIL")[number % 3]):
            trials[number] = make_trial(number, state)
            told_s = time.monotonic()
            recorder.started(number)
            recorder.finished(number)
            longest_s = max(longest_s, time.monotonic() - told_s)
            time.sleep(0.2)
    assert longest_s < 0.1  # whoever tells it is not held up
    while time.monotonic() - began_s < 4:
        time.sleep(0.1)
    proxy.mode = "ok"
    assert recorder.close(WAIT_S) is None
    roles, found = published(server, study)
    assert roles == Counter({"study": 1, "trial": 6})
    assert found == {number: (one.state, STATUS[one.state], 3) for number, one in trials.items()}


def test_a_creation_that_arrived_and_was_answered_with_an_error_is_not_repeated_by_the_client(
    server: str, proxy: FaultProxy, study: str
) -> None:
    client = store.connect(proxy.url)
    place = store.experiment_id(client, study)
    proxy.mode = "500 after"
    before = proxy.requests
    with pytest.raises(Exception, match="500"):
        client.create_run(place, run_name="once")
    assert proxy.requests == before + 1
    assert len(MlflowClient(server).search_runs([place])) == 1
