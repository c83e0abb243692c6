"""The aliases of a registered model: which version is the one to use, and why it is that one."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields

from mlflow.exceptions import MlflowException

from autoft.errors import TrackingError
from autoft.tracking import store, tags

CHAMPION = "champion"
"""The alias of the version to use."""
CANDIDATE = "candidate"
"""The alias of the newest version that has not become champion."""
PREVIOUS = "previous"
"""The alias of the version that was champion before: the one to go back to."""
BY_HAND = "by hand"
"""The rule of `autoft promote`."""


@dataclass(frozen=True)
class Promotion:
    """The decision on a version, and the reason; stored with it, so that it is decided once."""

    alias: str | None
    """CHAMPION or CANDIDATE; if it was decided before, the alias that it has now."""
    rule: str
    """The value of `register.promote`, or BY_HAND."""
    evidence: str
    """What is said of the version, as the rest of a sentence that begins with its name."""
    advice: str = ""
    """What the user can do about it, in whole sentences."""
    final: bool = True
    """Whether the decision stands under the same rule, or is taken again later."""
    replaced: int | None = None
    """The version that was champion before, if this one has taken over."""
    verdict: str = ""
    """What the test rows have said of the version, in sentences; it is not part of `said_of`."""
    figures: Mapping[str, str | float] = field(default_factory=dict)
    """The numbers of the comparison, if there was one."""

    @property
    def is_news(self) -> bool:
        """Whether the user should know; False if the version simply became the first champion."""
        return bool(self.advice) or self.replaced is not None

    def said_of(self, name: object) -> str:
        """Evidence and advice as sentences about the version that is called `name`.

        >>> Promotion(CANDIDATE, "never", "stays candidate.", "Look at it.").said_of("models:/x/2")
        'models:/x/2 stays candidate. Look at it.'
        """
        return f"{name} {self.evidence} {self.advice}".strip()


class Aliases:
    """The aliases of one registered model. Every method raises TrackingError if the store does not answer."""

    def __init__(self, uri: str | None, name: str) -> None:
        self.name = name
        self._client, self._where = store.connect(uri), store.resolve(uri)

    def champion(self) -> int | None:
        """The version to use; None if no version is marked."""
        return self._all().get(CHAMPION)

    def of(self, version: int) -> str | None:
        """The version's alias, one of the three; None if it has none of them."""
        there = self._all()
        return next((name for name in (CHAMPION, CANDIDATE, PREVIOUS) if there.get(name) == version), None)

    def decided(self, version: int) -> Promotion | None:
        """The stored decision on the version, with the alias that it has now; None if there is none."""
        with store.clear_errors(self._where):
            stored = self._client.get_model_version(self.name, str(version)).tags.get(tags.PROMOTION)
        if stored is None:
            return None
        known = {each.name for each in fields(Promotion)}
        try:
            told = {key: value for key, value in json.loads(stored).items() if key in known}
            return Promotion(**{**told, "alias": self.of(version)})
        except (ValueError, TypeError, AttributeError):  # the tag was edited by hand
            return None

    def settle(self, version: int, promotion: Promotion, champion: int | None) -> None:
        """Moves the aliases as decided, and stores the decision with the version.

        The decision is stored last, so that after an earlier kill it is taken again.

        Args:
            version: the version that the promotion is about.
            promotion: the decision.
            champion: the version that was champion when it was taken.

        Raises:
            TrackingError: another version has become champion since, or the aliases are not as they were set.
        """
        if self.champion() != champion:
            raise TrackingError(
                f"another version of the model {self.name!r} has become champion in the meantime; "
                "run the same command again to compare with that one"
            )
        with store.clear_errors(self._where):
            self._describe(version, promotion)
            wanted = {str(promotion.alias): version}
            if promotion.alias == CHAMPION and champion is not None:
                wanted = {PREVIOUS: champion, **wanted}
            for alias, number in wanted.items():
                self._client.set_registered_model_alias(self.name, alias, str(number))
            if promotion.alias == CHAMPION and self._all().get(CANDIDATE) == version:
                self._client.delete_registered_model_alias(self.name, CANDIDATE)
            self._require(wanted)
            stored = json.dumps(asdict(promotion))
            self._client.set_model_version_tag(self.name, str(version), tags.PROMOTION, stored)

    def _all(self) -> dict[str, int]:
        """Every alias and its version."""
        with store.clear_errors(self._where):
            try:
                there: Mapping[str, str] = self._client.get_registered_model(self.name).aliases
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise  # an error does not mean that there is no champion
                return {}
            return {alias: int(version) for alias, version in there.items()}

    def _describe(self, version: int, promotion: Promotion) -> None:
        """Puts the evidence into the version's description, in place of earlier evidence."""
        found = self._client.get_model_version(self.name, str(version))
        before, now = found.tags.get(tags.EVIDENCE), f"It {promotion.evidence} {promotion.verdict}".strip()
        text = found.description or ""
        text = text.replace(before, now) if before and before in text else f"{text} {now}".strip()
        self._client.update_model_version(self.name, str(version), text)
        self._client.set_model_version_tag(self.name, str(version), tags.EVIDENCE, tags.clip(now))

    def _require(self, wanted: Mapping[str, int]) -> None:
        """Raises TrackingError if the registry has not set these aliases."""
        there = self._all()
        if missing := [alias for alias, version in wanted.items() if there.get(alias) != version]:
            raise TrackingError(
                f"the model {self.name!r}: the registry has not set the alias {' and '.join(missing)}; "
                "run the same command again"
            )
