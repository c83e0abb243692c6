"""Which parameters decide, and where in their domains the good trials lie."""

from autoft.report import words
from autoft.report.page.axis import Axis, Names, of_domain
from autoft.report.page.blocks import Bar, Bars, Mark, Plot, Section
from autoft.report.page.reported import Reported
from autoft.spec.describe import domain_text
from autoft.spec.space import Range
from autoft.study.good_domains import GOOD, Searched, searched_parameters
from autoft.study.importance import LEVEL, QUANTILE, importances


def importance(reported: Reported) -> Section | None:
    """The share of each parameter in what makes a trial good."""
    found = importances(reported.study)
    if found is None:
        return None
    bars = [
        Bar(
            each.name,
            f"{100 * each.share:.0f} %",
            low=round(100 * each.low, 2),
            at=round(100 * each.share, 2),
            high=round(100 * each.high, 2),
            note=f"{100 * each.low:.0f} to {100 * each.high:.0f} %",
        )
        for each in found.of
    ]
    how = (
        f"{found.evaluator} over {words.count(found.trials, 'trial')}: what each parameter has to do with a "
        f"trial being among the best {100 * QUANTILE:.0f} %. Stopped trials count with the score that they "
        "would likely have had. Long intervals say that these trials do not tell."
    )
    interval = f"{100 * LEVEL:.0f} % interval over the trials"
    first, second = found.of[:2]
    clear = first.low > second.high
    summary = f"{first.name} most" if clear else f"{first.name} most, by no more than noise"
    return Section("What decides", summary, [how, Bars("Importance", ("", "share", interval), bars)])


def slices(reported: Reported) -> Section | None:
    """A plot for each parameter, with the part of its domain that proved good."""
    found = searched_parameters(reported.study)
    if not found:
        return None
    narrowed = [each for each in found if each.good != each.domain]
    how = (
        f"The shaded part is where the best {100 * GOOD:.0f} % of the trials lie, and a little beyond. "
        f"autoft refine {reported.info.name} writes it as the space of a next search."
    )
    parts = [part for each in found for part in (_said(each), _slice(each, reported))]
    summary = f"{len(narrowed)} of {words.count(len(found), 'parameter')} can be narrowed"
    return Section("Where the good ones lie", summary, [how, *parts])


def _said(searched: Searched) -> str:
    domain, good = domain_text(searched.domain), domain_text(searched.good)
    if searched.good == searched.domain:
        return f"{searched.name}: nothing to narrow in {domain}"
    return f"{searched.name}: {good}, of {domain}"


def _slice(searched: Searched, reported: Reported) -> Plot:
    x = of_domain(searched.domain)
    of = {trial.number: trial for trial in reported.trials}
    points = [point for point in searched.points if point.trial in of]  # others began a moment ago
    y, marks = Axis.around((point.score for point in points), up=True), []
    for point in points:
        # Trials with the same name are drawn side by side.
        aside = (point.trial * 0.618) % 2 - 1
        at = x.at(point.value, aside) if isinstance(x, Names) else x.at(float(point.value))
        title = f"trial {point.trial}: {searched.name} {words.value(point.value)}, {words.score(point.score)}"
        marks.append(Mark(at, y.at(point.score), reported.kind(of[point.trial]), title))
    band = None
    if isinstance(x, Axis) and isinstance(searched.good, Range) and searched.good != searched.domain:
        band = (x.at(searched.good.low), x.at(searched.good.high))
    objective = reported.info.objective
    return Plot(
        f"{objective} of each trial over {searched.name}",
        searched.name,
        f"likely final {objective}",
        x.ticks,
        y.ticks,
        sorted(marks, key=lambda mark: mark.kind in ("winner", "default")),
        band=band,
    )
