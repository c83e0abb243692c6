"""The way back to a study by its name: where it is published and stored stands in the copy of its request."""

import pytest

from autoft import named
from autoft.errors import SpecError, StudyError
from autoft.spec.read import read_spec
from autoft.study.identity import identity_of
from autoft.study.layout import SPACE, study_folder
from autoft.study.lock import hold_session
from autoft.study.records import write_info
from autoft.study.request_folder import read_request_folder, write_request_folder
from autoft.study.storage import open_study

from .report.records import info


def request(**sections):
    return read_spec(
        {
            "study": "tickets",
            "task": "text-classification",
            "model": "org/name",
            "data": {"path": "rows.csv", "inputs": "text", "target": "label"},
            "objective": "macro_f1",
            "budget": {"trials": 3},
            **sections,
        },
        in_memory_data=True,
    )


def left(spec, text=None):
    """What a session leaves in the study's folder."""
    folder = study_folder(spec.study)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SPACE).write_text(text or spec.text, encoding="utf-8")
    return spec


def test_by_its_name_a_study_is_looked_for_where_its_space_says(workdir, monkeypatch):
    monkeypatch.setenv("AUTOFT_TEST_FOLDER", "hunter2")
    left(request(tracking={"uri": "sqlite:///${AUTOFT_TEST_FOLDER}.db"}))
    assert "hunter2" not in (study_folder("tickets") / SPACE).read_text()
    assert named.study_tracking_uri("tickets") == "sqlite:///hunter2.db"
    monkeypatch.delenv("AUTOFT_TEST_FOLDER")
    with pytest.raises(SpecError, match=r"tracking\.uri: .* AUTOFT_TEST_FOLDER is not"):
        named.study_tracking_uri("tickets")
    assert named.study_name("tickets") == "tickets"


def test_by_its_name_a_study_finds_its_model_beside_its_space_also_when_both_have_moved(workdir, monkeypatch):
    (workdir / "night" / "my spaces" / "my model").mkdir(parents=True)
    monkeypatch.chdir(workdir / "night")
    file = workdir / "night" / "my spaces" / "tickets.yaml"
    file.write_text(request(model="./any").text.replace("./any", "my model"), encoding="utf-16")
    spec = left(read_spec(file))
    study = open_study(spec, study_folder("tickets"), identity_of(spec, "digest"))
    assert read_request_folder(study, study_folder("tickets")) == workdir / "night"
    write_request_folder(study, spec.base, study_folder("tickets"))
    monkeypatch.chdir((workdir / "night").rename(workdir / "moved"))
    for given in ("tickets", "my spaces/tickets.yaml"):
        (model,) = named.full_request(given, {}).models
        assert (model.name, model.kind) == ("my model", "folder")
        assert model.location == str(workdir / "moved" / "my spaces" / "my model")


def test_a_study_in_another_storage_is_read_by_its_name(workdir):
    spec = left(request(search={"storage": "sqlite:///elsewhere.db"}))
    write_info(open_study(spec, study_folder("tickets"), identity_of(spec, "digest")), info())
    assert not (study_folder("tickets") / "study.db").exists()
    assert named.read_study("tickets").info.name == "tickets"


def test_whether_a_process_searches_a_study_is_read_with_it(workdir):
    spec = request()
    write_info(open_study(spec, study_folder("tickets"), identity_of(spec, "digest")), info())
    with hold_session(study_folder("tickets")):
        assert named.read_study("tickets").searched
    assert not named.read_study("tickets").searched


def test_of_the_copy_only_what_says_where_is_looked_at(workdir, monkeypatch):
    """A model's folder may lie beside a file that is elsewhere; the cluster's address is of no use here."""
    spec = request(
        tracking={"uri": "sqlite:///other.db"},
        space={"dropout": [0, 0.1]},
        search={"storage": "sqlite:///s.db"},
    )
    text = spec.text.replace("model: org/name", "model: a/folder/beside") + (
        "resources: {address: '${AUTOFT_TEST_UNSET}'}\n"
    )
    left(spec, text.replace("sqlite:///s.db", "postgresql://${AUTOFT_TEST_UNSET}/x"))
    assert named.study_tracking_uri("tickets") == "sqlite:///other.db"


def test_a_password_that_was_written_out_is_asked_for(workdir):
    left(
        request(
            tracking={"uri": "http://me:hunter2@mlflow:5000"},
            search={"storage": "postgresql://me:hunter2@db/x"},
        )
    )
    with pytest.raises(
        StudyError, match=r"the password in tracking\.uri is not kept .* give its space\.yaml"
    ):
        named.study_tracking_uri("tickets")
    with pytest.raises(StudyError, match=r"the password in search\.storage is not kept"):
        named.read_study("tickets")


@pytest.mark.parametrize("name", ["../outside", "studies/tickets", "", ".hidden", "/tickets", "a\x00b"])
def test_what_is_no_name_of_a_study_is_not_looked_up_as_a_path(workdir, name):
    spec = request(tracking={"uri": "sqlite:///other.db"})
    left(spec)
    outside = workdir / "outside"
    outside.mkdir()
    (outside / SPACE).write_text(spec.text)
    write_info(open_study(spec, outside, identity_of(spec, "digest")), info())
    assert named.study_tracking_uri(name) is None
    with pytest.raises(StudyError, match="there is none, because it must be a name"):
        named.read_study(name)


def test_a_copy_that_is_no_space_any_more_is_told(workdir):
    left(request(), "[]")
    with pytest.raises(SpecError, match="objective"):
        named.study_tracking_uri("tickets")
