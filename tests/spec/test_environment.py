"""What a person may see of a URL that holds a secret."""

import pytest

from autoft.spec.environment import redact


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:se:cr3t@db/x", "postgresql://me:***@db/x"),
        ("http://me:p@ss@h:5", "http://me:***@h:5"),
        ("postgresql://me:p/s?s@db/x", "postgresql://me:***@db/x"),
        ("postgresql://me:p s@db/x", "postgresql://me:***@db/x"),
        ("postgresql://:s3cret@db/x", "postgresql://:***@db/x"),
        ("http://me@work.org:s3cret@h:5", "http://***@h:5"),
        ("https://tok3n@host:5000/path", "https://***@host:5000/path"),
        ("https://tok3n:@host", "https://***@host"),
        ("https://tok3n@host:5000/a@b", "https://***@b"),
        ("sqlite:///pw2-study.db?password=s3cretB", "sqlite:///pw2-study.db?password=***"),
        (
            "mysql://h:1/x?password=s3@cret&ssl=1&auth_token=t",
            "mysql://h:1/x?password=***&ssl=1&auth_token=***",
        ),
        ("mysql://h/x?client_secret=a'b c&API_KEY=k", "mysql://h/x?client_secret=***&API_KEY=***"),
        ("mssql+pyodbc:///?odbc_connect=PWD%3Ds3cret", "mssql+pyodbc:///?odbc_connect=***"),
        (
            "cannot reach http://u:p@h/ or http://h:5/ of a@b",
            "cannot reach http://u:***@h/ or http://h:5/ of a@b",
        ),
    ],
)
def test_secrets_are_masked(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:////home/me@work/my folder/mlflow.db",
        "http://127.0.0.1:5000/path?x=1",
        "s3://bucket/a@b",
        "ray://head:10001",
        "${NAME}",
        "postgresql://me:${PW}@db/x?password=${PW}",
        "https://${TOKEN}@host",
        "databricks",
    ],
)
def test_what_holds_no_secret_is_left_as_it_is(text: str) -> None:
    assert redact(text) == text
