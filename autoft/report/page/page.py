"""Puts the page together, and writes it."""

from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from autoft.data.files import replacing
from autoft.report.page import blocks, mistakes
from autoft.report.page.blocks import Section
from autoft.report.page.confirmation import confirmation
from autoft.report.page.curves import curves
from autoft.report.page.failures import failures
from autoft.report.page.first_screen import first_screen
from autoft.report.page.history import history
from autoft.report.page.model_card import model_card
from autoft.report.page.parameters import importance, slices
from autoft.report.page.preflight import preflight
from autoft.report.page.reported import Reported
from autoft.report.page.reproduce import reproduce
from autoft.report.page.validation import SUSPECTS_FILE, Validation, validation_of, write_suspects
from autoft.report.page.verdict import verdict
from autoft.report.printing import visible
from autoft.report.show import ShownStudy
from autoft.study.layout import PAGE
from autoft.study.storage import Study


def write_page(study: Study, shown: ShownStudy) -> Path:
    """Writes the page of a study as it stands, and its likely mislabeled rows beside it; returns its path.

    Args:
        study: in its storage.
        shown: the same, read.

    Raises:
        OSError: the folder does not take it.
    """
    reported = Reported(study, shown)
    validation = validation_of(reported)
    if validation is not None:
        write_suspects(reported, validation)
    else:
        (shown.folder / SUSPECTS_FILE).unlink(missing_ok=True)  # of an earlier winner
    with replacing(shown.folder / PAGE) as temporary:
        temporary.write_text(render(reported, validation), encoding="utf-8")
    return shown.folder / PAGE


def render(reported: Reported, validation: Validation | None) -> str:
    """The page as HTML: everything in it, nothing else asked for.

    What is below the first screen is closed, and a browser lays it out when it is opened.
    """
    page = Environment(
        loader=PackageLoader("autoft.report.page", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page.tests |= {name: _is(getattr(blocks, name)) for name in ("Table", "Matrix", "Code", "Bars", "Plot")}
    return page.get_template("page.html.jinja").render(
        name=reported.info.name,
        task=reported.info.task,
        version=version("autoft"),
        first=first_screen(reported),
        sections=sections(reported, validation),
        written=datetime.now().astimezone(),
    )


def sections(reported: Reported, validation: Validation | None) -> list[Section]:
    """What can be opened; without those that the study has nothing for."""
    answered = (
        []
        if validation is None
        else [mistakes.right_and_wrong(validation), mistakes.rows_to_look_at(validation)]
    )
    found = [
        verdict(reported),
        confirmation(reported),
        curves(reported),
        importance(reported),
        slices(reported),
        *answered,
        preflight(reported),
        failures(reported),
        history(reported),
        reproduce(reported),
        model_card(reported),
    ]
    return [section for section in found if section is not None]


def _is(kind: type) -> Callable[[object], bool]:
    return lambda part: isinstance(part, kind)


def _visible(value: object) -> object:
    """What a template prints: control characters of a user's texts as escapes, as in a terminal."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
