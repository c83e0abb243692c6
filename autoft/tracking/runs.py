"""Finding autoft's runs in MLflow by their tags."""

from collections.abc import Iterable, Iterator, Sequence

from mlflow import MlflowClient
from mlflow.entities import Run

from autoft.tracking import tags

_PAGE = 500
"""Runs a request; a server answers up to 50 000, but slowly."""


def has(**wanted: str) -> str:
    """An MLflow filter for runs with these tags, named as in `tags`: `has(STUDY="x", ROLE="trial")`."""
    return " and ".join(f"tags.`{getattr(tags, name)}` = '{value}'" for name, value in wanted.items())


def search(
    client: MlflowClient, experiments: Sequence[str], filter_string: str, order_by: Sequence[str] = ()
) -> Iterator[Run]:
    """All matching runs that are not deleted, page after page."""
    token: str | None = None
    while experiments:
        page = client.search_runs(
            list(experiments),
            filter_string,
            max_results=_PAGE,
            order_by=list(order_by) or None,
            page_token=token,
        )
        yield from page
        token = page.token
        if not token:
            return


def fullest(found: Iterable[Run]) -> Run | None:
    """The run of one trial that holds the most; None if there are none.

    There are several if a creation was answered too late, and was repeated before it arrived.
    """
    return max(found, key=lambda run: (run.info.status != "RUNNING", len(run.data.metrics)), default=None)


def every_experiment(client: MlflowClient) -> list[str]:
    """The ids of all experiments that are not deleted."""
    found: list[str] = []
    token: str | None = None
    while True:
        page = client.search_experiments(max_results=1000, page_token=token)
        found += [experiment.experiment_id for experiment in page]
        token = page.token
        if not token:
            return found


def parents(client: MlflowClient, study: str | None = None) -> list[Run]:
    """The parent runs of the study (None: of all studies) over all experiments, the newest first."""
    wanted = has(ROLE="study") if study is None else has(ROLE="study", STUDY=study)
    return list(search(client, every_experiment(client), wanted, ["attributes.start_time DESC"]))
