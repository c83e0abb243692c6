"""Where each value of a document stands, and the problems found in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from autoft.errors import Problem

Path = tuple[str | int, ...]
"""A location in the document: keys and list indices, such as `("first", 0, "dropout")`."""


def dotted(path: Path) -> str:
    """`path` as people write it.

    >>> dotted(("first", 0, "dropout"))
    'first[0].dropout'
    """
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


@dataclass(frozen=True)
class Location:
    """Where a value comes from."""

    source: str
    """The file as the user named it, `space` for a dict, or `-o` for an override."""
    line: int
    """1-based; 0 where there are no lines."""


@dataclass
class Notes:
    """Collects the problems of one document, each with its location."""

    top: Location
    locations: dict[Path, Location] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def add(self, path: Path, rule: str) -> None:
        """Note that `rule` is broken at `path`, or, where nothing is written there, nearest above it."""
        known = path
        while known and known not in self.locations:
            known = known[:-1]
        self.add_at(self.locations.get(known, self.top), path, rule)

    def add_at(self, location: Location, path: Path, rule: str) -> None:
        """Note that `rule` is broken at a location that the document's final text may no longer have."""
        self.problems.append(Problem(location.line, dotted(path), rule, location.source))

    def inside(self, path: Path) -> bool:
        """Whether a problem is noted at `path` or below it."""
        name = dotted(path)
        return any(p.path == name or p.path.startswith((f"{name}.", f"{name}[")) for p in self.problems)

    def forget_locations(self, path: Path) -> None:
        """Drop the locations of `path` and of everything below it, because it is written anew."""
        for known in [known for known in self.locations if known[: len(path)] == path]:
            del self.locations[known]


Tree = Mapping[str, object]
"""A document as plain Python: dicts with text keys, lists, numbers, text, booleans and None."""
