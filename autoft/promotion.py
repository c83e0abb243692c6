"""Whether a registered version becomes the champion: if there is none, or if it is better."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from autoft.data.targets import Targets
from autoft.kernel.paired import LEVEL, PairedDifference
from autoft.study.tested import Tested
from autoft.tracking.aliases import BY_HAND, CANDIDATE, CHAMPION, PREVIOUS, Aliases, Promotion
from autoft.tracking.registry import Registered, run_of

if TYPE_CHECKING:
    from autoft.tracking.saving import FineTuned

UNCONFIRMED = "no fresh seeds and no test split have confirmed it yet"
UNTESTED = "no test split has confirmed it yet"
"""Of a version that a confirmation on fresh seeds has chosen."""


@dataclass(frozen=True)
class Claim:
    """A version that may become the champion, and what the decision depends on."""

    uri: str | None
    """The URI of the tracking store."""
    version: Registered
    study: str
    rule: str
    """`register.promote`."""
    metric: str
    """The study's objective."""
    targets: Targets
    """What the study has learned of the target column."""
    rows: pa.Table
    """On which it is compared with a champion: the study's test rows where they are open."""
    split: str
    """The split of these rows."""
    unfinished: str | None
    """How far the study has come, such as `3 of 24 trials`; None if its budget is met."""
    tested: Tested | None = None
    """What the test rows have said of the version."""
    untested: bool = False
    """Whether there are test rows that have not been asked."""
    objection: str | None = None
    """Why the version is not to be used, in a clause."""
    confirmed: bool = False
    """Whether its configuration was chosen on fresh seeds."""
    before: "Callable[[], FineTuned] | None" = None
    """If the version was trained again on the validation rows too: the model of the training before.

    It is compared in the version's place on validation rows."""


def settle(claim: Claim, say: Callable[[str], None]) -> Promotion:
    """Decides what the version becomes, and sets the aliases; `say` tells the user what takes long.

    Each version is decided on once, so that a champion that was chosen later is not replaced again.

    Raises:
        TrackingError: the store does not answer, or another version has become champion in the meantime.
    """
    aliases, number = Aliases(claim.uri, claim.version.name), claim.version.version
    champion, decided = aliases.champion(), aliases.decided(number)
    if champion == number:
        return Promotion(CHAMPION, claim.rule, "is the champion.")
    was_decided = decided is not None and decided.final and decided.rule in (claim.rule, BY_HAND)
    if decided is not None and was_decided and champion is not None:
        return decided if decided.alias == CANDIDATE else _passed_by(claim, decided, champion)
    promotion = replace(
        _decide(claim, champion, say), verdict="" if claim.tested is None else claim.tested.said
    )
    aliases.settle(number, promotion, champion)
    return promotion


def promote_by_hand(uri: str | None, version: Registered) -> int | None:
    """Makes the version the champion without comparing it; returns the one that was champion before.

    Raises:
        TrackingError: the store does not answer.
    """
    aliases = Aliases(uri, version.name)
    champion = aliases.champion()
    if champion != version.version:
        instead = "" if champion is None else f" in place of version {champion}"
        evidence = f"was made champion{instead} by hand (autoft promote); nothing was compared."
        promotion = Promotion(CHAMPION, BY_HAND, evidence, replaced=champion)
        aliases.settle(version.version, promotion, champion)
    return champion


def _decide(claim: Claim, champion: int | None, say: Callable[[str], None]) -> Promotion:
    if claim.rule == "never":
        return _stays(claim, "register.promote is never.")
    if claim.objection is not None and claim.rule != "always":
        return _stays(claim, f"{claim.objection}.")
    if claim.untested and claim.rule != "always":
        so_far = f" The budget is unfinished ({claim.unfinished})." if claim.unfinished else ""
        advice = "Run the same command again: when the search is over, they are."
        return _stays(claim, f"the test rows have not been asked yet.{so_far}", advice, final=False)
    if champion is None:
        return _first(claim)
    if claim.rule == "always":
        return _takes_over(claim, champion, "register.promote is always, so nothing was compared.")
    if claim.unfinished is not None:
        return _stays(
            claim,
            f"the budget is unfinished ({claim.unfinished}), and version {champion} is the champion.",
            "Run the same command again to continue; it compares the two when the budget is met.",
            final=False,
        )
    if claim.before is not None and run_of(claim.uri, claim.version.name, champion) == claim.version.run_id:
        return _takes_over(claim, champion, "it is the same trial, trained again on the validation rows too.")
    from autoft.against_champion import NotComparableError, compare_with_champion  # torch comes with it

    try:
        found = compare_with_champion(
            claim.uri,
            claim.version,
            champion,
            claim.metric,
            claim.rows,
            claim.targets,
            say,
            claim.before if claim.split == "validation" else None,
        )
    except NotComparableError as error:
        return _stays(claim, f"{error}.", "Compare the two on rows of your own.", final=error.for_good)
    return _compared(claim, champion, found)


def _first(claim: Claim) -> Promotion:
    evidence = "became the champion, because there was none."
    if claim.unfinished is None:
        return Promotion(CHAMPION, claim.rule, f"{evidence} {_provisional(claim)}".strip())
    return Promotion(
        CHAMPION,
        claim.rule,
        f"{evidence} The budget is unfinished ({claim.unfinished}). {_provisional(claim)}".strip(),
        "What the study finds from here on takes over if it is better by more than chance.",
    )


def _compared(claim: Claim, champion: int, found: PairedDifference) -> Promotion:
    on_validation = claim.split == "validation"
    before = (
        ""
        if claim.before is None or not on_validation
        else " before it was trained again on the validation rows"
    )
    said = (
        f"{found.metric.name} is {found.one:.4f}{before}, and {found.other:.4f} of version {champion}, on "
        f"{found.rows:,} {claim.split} rows that neither was trained on. The difference is "
        f"{found.one - found.other:+.4f} ({100 * LEVEL:.0f} % bootstrap interval {found.low:+.4f} to "
        f"{found.high:+.4f})"
    )
    figures = {**asdict(found), "metric": found.metric.name, "champion": champion, "level": LEVEL}
    if found.is_better:
        chosen = "the study chose it on these rows, and " if on_validation else ""
        return _takes_over(claim, champion, f"{said}.", chosen, figures)
    return _stays(claim, f"{said}: not better by more than chance.", figures=figures)


def _takes_over(
    claim: Claim, champion: int, why: str, besides: str = "", figures: Mapping[str, str | float] | None = None
) -> Promotion:
    took_over = f"took over from version {champion}, which now has the alias {PREVIOUS!r}"
    evidence = f"{took_over}: {why} {_provisional(claim, besides)}".strip()
    return Promotion(CHAMPION, claim.rule, evidence, replaced=champion, figures=figures or {})


def _stays(
    claim: Claim,
    why: str,
    advice: str = "",
    *,
    final: bool = True,
    figures: Mapping[str, str | float] | None = None,
) -> Promotion:
    advice = f"{advice} To use it all the same: autoft promote {claim.study}".strip()
    return Promotion(
        CANDIDATE, claim.rule, f"stays candidate: {why}", advice, final=final, figures=figures or {}
    )


def _passed_by(claim: Claim, decided: Promotion, champion: int) -> Promotion:
    """The promotion of a version that was decided on before, and whose place another champion has taken."""
    return Promotion(
        decided.alias,
        decided.rule,
        f"is not the champion: version {champion} is.",
        f"To use it all the same: autoft promote {claim.study}",
    )


def _provisional(claim: Claim, besides: str = "") -> str:
    """How sure one may be, unless the test rows have said so."""
    if claim.tested is not None:
        return f"This is provisional: {besides.removesuffix(', and ')}." if besides else ""
    return f"This is provisional: {besides}{UNTESTED if claim.confirmed else UNCONFIRMED}."
