"""Which URLs mean the same database: MLflow and a study cannot share one, because both have tables of the
same names."""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

DEFAULT_TRACKING_URI = "sqlite:///mlflow.db"
"""MLflow's own default: a file in the working directory."""
_SOCKETS = ("/tmp", "/var/run/postgresql")
"""Where PostgreSQL's sockets usually lie."""
_THIS_MACHINE = {"", "localhost", "::1", "0.0.0.0", *_SOCKETS, *map(os.path.realpath, _SOCKETS)}
_FAMILIES = {"postgres": "postgresql", "mariadb": "mysql"}
_PORTS = {"postgresql": "5432", "mysql": "3306", "mssql": "1433", "oracle": "1521"}


def tracking_uri(given: str | None) -> str:
    """Where MLflow keeps runs: the given URI, else MLFLOW_TRACKING_URI, else MLflow's default."""
    return given or os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_TRACKING_URI


def is_database(uri: str) -> bool:
    """Whether a tracking URI names a database itself, not a server or a folder."""
    return uri.partition(":")[0].partition("+")[0] in ("sqlite", "postgresql", "mysql", "mssql")


def connect_timeout(url: str, seconds: int) -> dict[str, int]:
    """What keeps a database's library from waiting longer for its server; nothing for one we do not know."""
    driver = make_url(url).get_driver_name()
    return {"connect_timeout": seconds} if driver in ("psycopg", "psycopg2", "mysqldb", "pymysql") else {}


def same_database(one: str, other: str) -> bool:
    """Whether two database URLs mean the same database, however they are spelled.

    Of SQLite the file counts, also through links. Of a server: host, port, the database's name and, if given,
    PostgreSQL's `search_path`. Names of hosts are looked up where all else agrees.

    >>> same_database("sqlite:///one.db", "sqlite:///./one.db?timeout=60")
    True
    >>> same_database("postgresql://me@db/x", "postgresql+psycopg://you:pass@DB:5432/x")
    True
    >>> same_database("mysql://db/x", "mysql://db/y")
    False
    """
    try:
        first, second = make_url(one), make_url(other)
    except (ArgumentError, ValueError):
        return False
    if "sqlite" in (first.get_backend_name(), second.get_backend_name()):
        files = _file(first), _file(second)
        return files[0] is not None and files[1] is not None and _same_file(files[0], files[1])
    return _Server.of(first).is_same(_Server.of(second))


def _file(url: URL) -> Path | None:
    """Also of SQLite's own form, `file:one.db?mode=rw&uri=true`; None for memory and for servers."""
    name = url.database or ""
    if name.startswith("file:"):
        name = unquote(name.removeprefix("file:").partition("?")[0])
        name = name.removeprefix("//localhost") if name.startswith("//") else name
    is_file = url.get_backend_name() == "sqlite" and url.query.get("mode") != "memory"
    return Path(name) if is_file and name not in ("", ":memory:") else None


def _same_file(one: Path, other: Path) -> bool:
    with suppress(OSError, ValueError):  # one of them is not there yet
        return os.path.samefile(one, other)
    with suppress(ValueError):  # no path at all: it has a null character
        return os.path.realpath(one) == os.path.realpath(other)
    return False


@dataclass(frozen=True)
class _Server:
    """A database on a server, as its URL and the variables of PostgreSQL's library say."""

    family: str
    hosts: frozenset[str]
    """In lower case; of PostgreSQL there may be several."""
    port: str
    database: str
    search_path: str

    @staticmethod
    def of(url: URL) -> "_Server":
        family = _FAMILIES.get(url.get_backend_name(), url.get_backend_name())
        environ: Mapping[str, str] = os.environ if family == "postgresql" else {}

        def said(own: object, key: str, variable: str) -> str:
            value = own or url.query.get(key) or environ.get(variable, "")
            return ",".join(value) if isinstance(value, tuple) else str(value)

        hosts, ports = zip(
            *(_host_and_port(each) for each in said(url.host, "host", "PGHOST").split(",")), strict=True
        )
        port = said(url.port, "port", "PGPORT") or max(ports) or _PORTS.get(family, "")
        database = said(url.database, "dbname", "PGDATABASE") or url.username or ""
        search_path = said("", "options", "PGOPTIONS").partition("search_path=")[2]
        return _Server(family, frozenset(hosts), port, database, search_path)

    def is_same(self, other: "_Server") -> bool:
        if (self.family, self.port, self.database) != (other.family, other.port, other.database):
            return False
        if self.search_path != other.search_path:
            return False
        return bool(self.hosts & other.hosts) or bool(_addresses(self.hosts) & _addresses(other.hosts))


def _host_and_port(text: str) -> tuple[str, str]:
    """`db:5432`, `[::1]:5432`, `db`, or a socket's folder; this machine is `localhost`."""
    host, _, port = text.rpartition(":")
    if not port.isdigit() or (":" in host.strip("[]") and not host.endswith("]")):
        host, port = text, ""
    host = os.path.realpath(host) if host.startswith("/") else host.strip("[]").rstrip(".").lower()
    own = {*_THIS_MACHINE, socket.gethostname().lower()}
    return "localhost" if host in own or host.startswith("127.") else host, port


def _addresses(hosts: frozenset[str]) -> set[str]:
    found = set()
    for host in hosts:
        with suppress(OSError, UnicodeError):
            found |= {str(address[4][0]) for address in socket.getaddrinfo(host, None)}
    return found
