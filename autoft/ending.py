"""The end of a session: publishes finished trials and registers the winner, in the time that is left."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from autoft.errors import AutoftError, Interrupted
from autoft.judge.baselines import FittedBaselines
from autoft.report import words
from autoft.report.page.page import write_page
from autoft.report.show import read_shown
from autoft.signals import alarm, left_s
from autoft.study.baselines import read_baselines, write_baselines
from autoft.study.storage import TROUBLE
from autoft.tracking.aliases import Promotion
from autoft.tracking.recorder import Recorder
from autoft.tracking.retrieval import Best
from autoft.verdict import is_due, verdict_on
from autoft.winner import Searched

_LOG = logging.getLogger(__name__)
RECORD_PATIENCE_S = 60.0
"""How long the end of a session waits for a tracking server, from one published trial to the next."""
INTERRUPTED_PATIENCE_S = 5.0
"""The same if the session was stopped."""
REGISTER_TRIES = 3
"""How often the winner is offered to a tracking server that does not accept it."""
NO_TIME = "there was no time for it"


@dataclass(frozen=True)
class Ending:
    """What became of the winner."""

    best: Best | None
    """The winner; None if no trial is COMPLETE. Its `model_uri` is None if it is not registered."""
    promotion: Promotion | None
    """What its model has become; None if it is not registered."""
    unrecorded: str | None
    """What the tracking server did not accept, in words; None if it accepted everything."""

    @property
    def said(self) -> str:
        """A sentence for a user who has stopped the search."""
        if self.best is None:
            return "No trial is complete yet, so none is registered."
        best = (
            f"The best so far, trial {self.best.trial} ({self.best.metric} {words.score(self.best.value)}),"
        )
        if self.best.model_uri is not None:
            return f"{best} is registered: {self.best.model_uri}"
        why = (self.unrecorded or "").rstrip(".")
        return f"{best} was not registered now: {why}. The same command registers the best at its end."


def conclude(
    searched: Searched,
    recorder: Recorder,
    say: Callable[[str], None],
    *,
    stopped: bool,
    baselines: FittedBaselines | None = None,
) -> Ending:
    """Publishes finished trials, registers the winner, and asks it for the test rows beside the `baselines`.

    If the session was `stopped`, nothing is tried twice, and nothing takes longer than `left_s`.
    """
    patience_s = INTERRUPTED_PATIENCE_S if stopped else RECORD_PATIENCE_S
    best, promotion = searched.winner(), None
    ending = Ending(best, promotion, NO_TIME)
    with alarm() as ring_in:
        ring_in(left_s())
        unrecorded = recorder.flush(patience_s, while_it_moves=not stopped)
        if best is not None and unrecorded is None:
            tries = 1 if stopped else REGISTER_TRIES
            # Asked once, also where the registry is offered the winner several times.
            test = cache(partial(verdict_on, searched, best, baselines=baselines, say=say))
            best, promotion, unrecorded = searched.register_winner(best, say, tries, test)
            if best.model_uri is not None:
                recorder.registered(best.model_uri)
            if best.model_uri is not None and promotion is not None:
                searched.store_promotion(promotion, best.model_uri)
        ending = Ending(best, promotion, unrecorded)
    return ending


def fit_baselines(
    searched: Searched, recorder: Recorder, say: Callable[[str], None]
) -> FittedBaselines | None:
    """Fits the baselines of a study that has none, or has test rows to open; stores and publishes them.

    Whatever happens, the winner stands without them; the next session of the study tries again.
    """
    fitted, there = None, bool(read_baselines(searched.study))
    with _or_left_out("baselines", "they are left out; the same command fits them", say):
        if searched.winner() is not None and (not there or is_due(searched)):
            say("baselines: fitting simple models, to be held against the winner")
            fitted = searched.fit_baselines()
            write_baselines(searched.study, fitted.scored)
            recorder.catch_up([])
    return fitted


def report(searched: Searched, recorder: Recorder, say: Callable[[str], None]) -> Path | None:
    """Writes the study's report, with what the winner answers to the validation rows, and publishes it.

    Returns its path; None if it could not be written. Whatever happens, the winner stands without it.
    """
    study, folder, name = searched.study, searched.folder, searched.spec.study
    with _or_left_out("report", f"it is left out; autoft report {name} writes it", say):
        with _or_left_out("the winner's answers", "they are left out of the report", say):
            searched.keep_answers()
        page = write_page(study, read_shown(study, folder, searched.spec, searched=False))
        recorder.reported(page)
        return page
    return None


@contextmanager
def _or_left_out(what: str, interrupted: str, say: Callable[[str], None]) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        say(f"{what}: interrupted, so {interrupted}")
    except Exception as error:
        _LOG.info("%s: left out", what, exc_info=True)
        say(f"{what}: left out, because of {type(error).__name__}: {error}")


def close(recorder: Recorder, ending: Ending, *, stopped: bool, interrupted: bool) -> str | None:
    """Closes the recorder; returns what was not published, in words. What failed before is not waited for."""
    patience_s = INTERRUPTED_PATIENCE_S if stopped else RECORD_PATIENCE_S
    patience_s = 0.0 if ending.unrecorded else min(patience_s, max(0.0, left_s()))
    return recorder.close(patience_s, interrupted=interrupted) or ending.unrecorded


def interruption(searched: Searched) -> Interrupted:
    """The exception to raise if a signal has ended the search at once."""
    try:
        best = searched.winner()
    except (*TROUBLE, AutoftError):
        return Interrupted("")
    return Interrupted(Ending(best, None, "it was interrupted").said)
