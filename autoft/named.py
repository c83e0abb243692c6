"""The study that a user names, by its name or by its space.yaml: its request, its folder and its storage.

Whoever only asks MLflow for a study needs no storage, so what opens one is imported where it is opened.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoft.errors import SpecError, StudyError
from autoft.spec import scalars
from autoft.spec.location import Location, Notes
from autoft.spec.read import read_document, read_spec
from autoft.spec.study import StudySpec
from autoft.study.layout import SPACE, study_folder

if TYPE_CHECKING:
    from autoft.report.show import ShownStudy
    from autoft.study.storage import Study


def study_name(study: str | Path) -> str:
    """The name of a study that is given by its name or by its space.yaml."""
    return read_spec(study).study if is_file(study) else str(study)


def study_tracking_uri(study: str | Path | None) -> str | None:
    """Where a study is published, if its space.yaml says so; None is MLflow's own convention.

    Raises:
        StudyError: the URI had a password, which is not stored, and the study is given by its name.
    """
    if study is None or (spec := request_of(study, "tracking")) is None:
        return None
    return _with_password(study, spec.tracking.uri, "tracking.uri")


def read_study(study: str | Path) -> "ShownStudy":
    """A study and its trials, read from its storage.

    Raises:
        StudyError: there is none of this name in `studies/`.
    """
    return shown_study(*find(study), study)


def shown_study(found: "Study", folder: Path, study: str | Path) -> "ShownStudy":
    """The same of a study that is found."""
    from autoft.report.show import read_shown
    from autoft.study.lock import searched_by
    from autoft.study.storage import clear_storage_errors

    request = request_of(study, "search", "confirm", "refit")
    with clear_storage_errors(found.study_name):
        return read_shown(found, folder, request, searched=searched_by(found, folder) is not None)


def find(study: str | Path) -> "tuple[Study, Path]":
    """A study in its storage, and its folder.

    Raises:
        StudyError: there is none of this name in `studies/`.
    """
    from autoft.study.storage import clear_storage_errors, find_study

    spec = request_of(study, "search")
    name = str(study) if spec is None else spec.study
    try:
        folder = study_folder(scalars.study_name(name))
    except ValueError as error:
        raise StudyError(f"study {name!r}: there is none, because it {error}") from None
    storage = None if spec is None else _with_password(study, spec.search.storage, "search.storage")
    with clear_storage_errors(name):
        return find_study(name, folder, storage), folder


def later(found: "Study", folder: Path, study: str | Path) -> "list[Study]":
    """The studies that run after the search's trials, if they have begun: of replicas, of refits."""
    from autoft.report.show import studies_after

    asked = request_of(study, "search")
    return studies_after(found, folder, asked.search.storage if asked else None)


_ALWAYS = ("study", "task", "data", "objective", "budget")
"""The sections that every request needs, besides the model."""


def is_file(study: str | Path) -> bool:
    """Whether a study is given by its space.yaml, not by its name."""
    return Path(study).suffix in (".yaml", ".yml")


def request_of(study: str | Path, *sections: str) -> StudySpec | None:
    """The request, for reading its `sections`: from its file, or for a name from the copy in its folder.

    The rest of the copy is ignored, because it may refer to paths beside a file that is elsewhere, or to
    environment variables that are not needed here.
    """
    if is_file(study):
        return read_spec(study)
    given = _copy(study)
    if given is None:
        return None
    needed = {key: given[key] for key in (*_ALWAYS, *sections) if key in given}
    return read_spec({**needed, "model": "any"}, in_memory_data=True)


def full_request(study: str | Path, changes: Mapping[str, Any], overrides: Sequence[str] = ()) -> StudySpec:
    """The request with what it searches, with `changes` to its keys, and then `overrides`.

    Raises:
        StudyError: a study given by its name has no copy of its request here.
        SpecError: the request with the changes is wrong.
    """
    given, base = document_of(study)
    # Sections that use environment variables or files beside the request are ignored.
    kept = {key: value for key, value in given.items() if key not in ("tracking", "resources")}
    name = {} if "study" in kept else {"study": Path(study).stem}
    return read_spec({**kept, **name, **changes}, overrides, in_memory_data=True, base=base)


def document_of(study: str | Path) -> tuple[dict[str, Any], Path]:
    """The request as it was written, and the folder in which its paths begin.

    Raises:
        StudyError: a study given by its name has no copy of its request here.
    """
    from autoft.study.request_folder import read_request_folder

    given = _document(Path(study)) if is_file(study) else _copy(study)
    if given is None:
        raise StudyError(f"study {str(study)!r}: its request is not kept here; give its space.yaml")
    base = Path(study).absolute().parent if is_file(study) else read_request_folder(*find(study))
    return given, base


def _copy(study: str | Path) -> dict[str, Any] | None:
    """The copy of its request in a study's folder."""
    try:
        copy = study_folder(scalars.study_name(str(study))) / SPACE
    except ValueError:  # not a study's name, so there is no folder
        return None
    return _document(copy) if copy.is_file() else None


def _document(path: Path) -> dict[str, Any]:
    notes = Notes(Location(str(path), 0))
    tree = read_document(path, notes)
    if notes.problems:
        raise SpecError(notes.problems)
    return tree if isinstance(tree, dict) else {}


def _with_password(study: str | Path, url: str | None, key: str) -> str | None:
    """`url`, unless it comes from the copy and its password is masked there."""
    if url and "***" in url and not is_file(study):
        raise StudyError(
            f"study {str(study)!r}: the password in {key} is not kept with the study; give its space.yaml "
            "instead of its name"
        )
    return url
