"""The many spellings of one database."""

import os
import socket

import pytest

from autoft.errors import SpecError
from autoft.spec.databases import same_database
from autoft.spec.read import read_spec

SAME_SERVER = [
    ("postgresql://db/x", "postgresql+psycopg2://me:secret@db:5432/x?sslmode=require"),
    ("postgresql://DB.internal./x", "postgresql://db.internal/x"),
    ("postgresql://localhost/x", "postgresql://127.0.0.1:5432/x"),
    ("postgresql://[::1]/x", "postgresql:///x"),
    ("postgresql:///x?host=db", "postgresql://db/x"),
    ("postgresql:///x?host=db:5433", "postgresql://db:5433/x"),
    ("postgresql:///x?host=db&port=5433", "postgresql://db:5433/x"),
    ("postgresql:///x?host=one:5432&host=two:5432", "postgresql://two/x"),
    ("postgresql:///x?host=/var/run/postgresql", "postgresql://localhost/x"),
    ("postgresql:///x?host=/my/sockets", "postgresql://me@/x?host=/my/sockets/"),
    ("postgresql://db/?dbname=x", "postgresql://db/x"),
    ("postgresql://x@db", "postgresql://db/x"),  # the user's name is the default
    ("mysql+pymysql://me@db/x", "mariadb+mysqldb://you@db:3306/x"),
    (f"mysql://{socket.gethostname()}/x", "mysql://localhost/x"),
]
OTHER_SERVER = [
    ("postgresql://db/x", "postgresql://db/y"),
    ("postgresql://db/x", "postgresql://db:5433/x"),
    ("postgresql://127.0.0.1/x", "postgresql://192.0.2.1/x"),
    ("postgresql:///x?host=/my/sockets", "postgresql:///x?host=/your/sockets"),
    ("postgresql://db/x", "mysql://db/x"),
    ("postgresql://db/x?options=-csearch_path=one", "postgresql://db/x?options=-csearch_path=two"),
    ("postgresql://db/x", "http://db/x"),
    ("sqlite:///x", "postgresql://db/x"),
    ("sqlite://", "sqlite://"),
    ("sqlite:///:memory:", "sqlite:///:memory:"),
    ("not a url", "not a url"),
]


@pytest.mark.parametrize(("one", "other"), SAME_SERVER)
def test_one_database_of_a_server_in_two_spellings(one, other):
    assert same_database(one, other) and same_database(other, one)


@pytest.mark.parametrize(("one", "other"), OTHER_SERVER)
def test_what_differs_in_host_port_name_or_schema_is_another(one, other):
    assert not same_database(one, other)


def test_the_variables_of_postgresql_count(monkeypatch):
    for name, value in {"PGHOST": "db", "PGPORT": "5433", "PGDATABASE": "x"}.items():
        monkeypatch.setenv(name, value)
    assert same_database("postgresql://", "postgresql://db:5433/x")


@pytest.mark.parametrize("exists", [True, False])
def test_one_sqlite_file_in_many_spellings(workdir, exists):
    if exists:
        (workdir / "one.db").touch()
        os.link("one.db", "hard.db")
    (workdir / "link.db").symlink_to("one.db")
    (workdir / "folder").mkdir()
    (workdir / "folder" / "up").symlink_to("..")
    spellings = [
        "sqlite:///one.db",
        "sqlite:///./one.db?timeout=60",
        f"sqlite+pysqlite:///{workdir}/one.db",
        f"sqlite:////{workdir}/folder/../one.db",
        "sqlite:///link.db",
        "sqlite:///folder/up/one.db",
        "sqlite:///file:one.db?mode=rwc&uri=true",
        f"sqlite:///file:{workdir}/one.db?uri=true",
        f"sqlite:///file:///{workdir}/one%2Edb?uri=true",
        *(["sqlite:///hard.db"] if exists else []),
    ]
    assert [url for url in spellings if not same_database(spellings[0], url)] == []
    assert not same_database("sqlite:///one.db", "sqlite:///two.db")


SPACE = """\
study: mine
task: text-classification
model: org/name
data: {path: rows.csv, inputs: text, target: label}
objective: macro_f1
budget: {trials: 2}
"""


def refused(workdir, text):
    (workdir / "space.yaml").write_text(SPACE + text)
    with pytest.raises(SpecError) as raised:
        read_spec(workdir / "space.yaml")
    (problem,) = raised.value.problems
    return problem


def test_a_study_in_the_database_of_mlflow_is_refused_with_its_line(workdir):
    problem = refused(
        workdir, "tracking: {uri: 'sqlite:///one.db'}\nsearch: {storage: 'sqlite:///./one.db'}\n"
    )
    assert (problem.line, problem.path) == (8, "search.storage")
    assert problem.rule == (
        "must be another database than MLflow's (tracking.uri), because both have tables of the same names; "
        "got 'sqlite:///./one.db', and for MLflow 'sqlite:///one.db'. Name another one for the study, or "
        "leave search.storage out"
    )


def test_the_environment_and_the_defaults_count(workdir, monkeypatch):
    problem = refused(workdir, "search: {storage: 'sqlite:///mlflow.db'}\n")  # MLflow's default
    assert (problem.line, problem.path) == (7, "search.storage")
    problem = refused(workdir, "tracking: {uri: 'sqlite:///studies/mine/study.db'}\n")  # the study's
    assert (problem.line, problem.path) == (7, "tracking.uri")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://me:hunter2@db/x")
    problem = refused(workdir, "search: {storage: 'postgresql+psycopg://db:5432/x'}\n")
    assert "MLFLOW_TRACKING_URI" in problem.rule and "hunter2" not in problem.rule
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "sqlite:///models.db")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert "MLFLOW_REGISTRY_URI" in refused(workdir, "search: {storage: 'sqlite:///models.db'}\n").rule


def test_passwords_are_not_shown(workdir, monkeypatch):
    monkeypatch.setenv("DB", "postgresql://me:hunter2@db/x")
    problem = refused(workdir, "tracking: {uri: '${DB}'}\nsearch: {storage: '${DB}'}\n")
    assert "me:***@db" in problem.rule and "hunter2" not in problem.rule
