"""One study for all tests of the page that only look."""

import pytest

from autoft.report.page.reported import Reported

from .small_study import make_study, shown_of


@pytest.fixture(scope="package")
def folder(tmp_path_factory):
    """The study's."""
    return tmp_path_factory.mktemp("page") / "studies" / "study"


@pytest.fixture(scope="package")
def study(folder):
    """See `small_study`."""
    return make_study(folder)


@pytest.fixture
def reported(study, folder):
    """What the sections are made of."""
    return Reported(study, shown_of(study, folder))
