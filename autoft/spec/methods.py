"""What a sampler and a pruner have in common here: a name, a meaning, whole-number options."""

from collections.abc import Mapping
from dataclasses import dataclass

from autoft.spec.space import Value
from autoft.spec.wording import got


@dataclass(frozen=True)
class Option:
    """A whole number that tunes a sampler or a pruner."""

    name: str
    default: int
    low: int
    meaning: str
    high: int = 100_000

    @property
    def takes(self) -> str:
        """What it can be set to, in words."""
        return f"a whole number from {self.low} to {self.high}"

    def check(self, value: object) -> int:
        """`value` itself; raises ValueError with the rule and the value where it is not allowed."""
        if isinstance(value, bool) or not isinstance(value, int) or not self.low <= value <= self.high:
            raise ValueError(f"must be {self.takes}, got {got(value)}")
        return value


@dataclass(frozen=True)
class Method:
    """A sampler or a pruner, by its name in space.yaml."""

    name: str
    meaning: str
    options: tuple[Option, ...] = ()

    def resolve(self, given: Mapping[str, Value]) -> dict[str, Value]:
        """Every option's value: `given`, else the default."""
        return {option.name: given.get(option.name, option.default) for option in self.options}


def by_name(*methods: Method) -> Mapping[str, Method]:
    """A registry of `methods`."""
    return {method.name: method for method in methods}
