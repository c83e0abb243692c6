"""The Python functions that ask for a study."""

from autoft import api
from autoft.tracking import retrieval

from .test_named import left, request


def test_best_config_reads_the_copy_unless_it_is_told_where(workdir, monkeypatch):
    asked = []
    monkeypatch.setattr(retrieval, "best", lambda *where: asked.append(where))
    left(request(tracking={"uri": "sqlite:///other.db"}))
    api.best_config("tickets")
    api.best_config("tickets", "sqlite:///told.db")
    api.best_config("unknown")
    assert asked == [("tickets", "sqlite:///other.db"), ("tickets", "sqlite:///told.db"), ("unknown", None)]
