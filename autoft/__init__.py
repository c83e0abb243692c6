"""autoft: hyperparameter search for fine-tuning pretrained models.

>>> import autoft
>>> result = autoft.search("search_spaces/quickstart.yaml")  # doctest: +SKIP
>>> autoft.best_config("quickstart").params  # doctest: +SKIP
"""

from autoft import search_path

if search_path.is_command():
    search_path.leave_out_working_directory()

from typing import TYPE_CHECKING

from autoft.quiet import set_switches

set_switches()  # before any library is imported: most read them once

if TYPE_CHECKING:
    from autoft.api import LoadedStudy, SearchResult, best_config, load_best_model, load_study, search
    from autoft.errors import (
        AutoftError,
        DataError,
        ModelError,
        ResourceError,
        SpecError,
        StudyError,
        TrackingError,
    )
    from autoft.tracking.retrieval import Best

__version__ = "0.1.0"

_HOMES = {
    "search": "autoft.api",
    "best_config": "autoft.api",
    "load_best_model": "autoft.api",
    "load_study": "autoft.api",
    "LoadedStudy": "autoft.api",
    "SearchResult": "autoft.api",
    "Best": "autoft.tracking.retrieval",
    "AutoftError": "autoft.errors",
    "SpecError": "autoft.errors",
    "DataError": "autoft.errors",
    "ModelError": "autoft.errors",
    "StudyError": "autoft.errors",
    "ResourceError": "autoft.errors",
    "TrackingError": "autoft.errors",
}

_NEEDED = {
    "search": "autoft.session",
    "best_config": "autoft.tracking.retrieval",
    "load_best_model": "autoft.tracking.loading",
    "load_study": "autoft.study.storage",
}
"""What the functions import when they are called; here, so that a file that hides a library is named."""

__all__ = [
    "AutoftError",
    "Best",
    "DataError",
    "LoadedStudy",
    "ModelError",
    "ResourceError",
    "SearchResult",
    "SpecError",
    "StudyError",
    "TrackingError",
    "best_config",
    "load_best_model",
    "load_study",
    "search",
]


def __getattr__(name: str) -> object:
    """Public names are imported when they are first used: `autoft --help` needs no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'autoft' has no attribute {name!r}")
    from importlib import import_module

    try:
        import_module(_NEEDED.get(name, _HOMES[name]))
        return getattr(import_module(_HOMES[name]), name)
    except Exception as error:
        if hiding := search_path.hiding_files():
            from autoft.errors import AutoftError

            listed = ", ".join(map(str, hiding))
            raise AutoftError(
                f"a library cannot be imported ({type(error).__name__}: {error}). Files beside your program "
                f"hide installed modules of the same name: {listed}; rename them"
            ) from error
        raise


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
