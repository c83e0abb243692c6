"""YAML 1.2 as plain Python values, with the line of every one of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from autoft.spec.location import Location, Notes, Path
from autoft.spec.wording import got

_MAX_VALUES = 20_000  # far above any space; stops aliases of aliases from filling the memory
_MAX_NUMBER_LENGTH = 400  # no float has more digits; Python refuses to print much longer integers
_TAG = "tag:yaml.org,2002:"


def parse(text: str, source: str, notes: Notes, *, lines: bool = True) -> object:
    """The one value that `text` holds; problems of syntax, keys and tags go to `notes`.

    Keys are always text. Dates are text. `1e-5` is a number and `yes` is text, as YAML 1.2 has it.
    `lines` False is for text that has no lines of its own (an override).
    """
    try:
        node = YAML(typ="safe", pure=True).compose(text)
        return None if node is None else _Reader(source, notes, lines).value(node, ())
    except RecursionError:
        notes.add((), "must not be nested hundreds of levels deep")
    except YAMLError as error:
        notes.add_at(Location(source, _line(error) if lines else 0), (), _syntax(error))
    except ValueError as error:  # the reader refuses code points that are no characters
        notes.add((), f"is not YAML: {error}")
    return None


def _line(error: YAMLError) -> int:
    """The 1-based line where the fix belongs; 0 where the error has none."""
    if not isinstance(error, MarkedYAMLError):
        return 0
    # What is never closed is found at the end of the file, but fixed where it was opened.
    unclosed = "stream" in str(error.problem)
    mark = (error.context_mark if unclosed else None) or error.problem_mark
    return 0 if mark is None else int(mark.line) + 1


def _syntax(error: YAMLError) -> str:
    if not isinstance(error, MarkedYAMLError):
        return "is not YAML: it holds characters that text files do not have; save it as UTF-8 text"
    problem = str(error.problem or error.context).replace("\n", " ")
    if "'\\t'" in problem:
        return "is not YAML: lines are indented with spaces, got a tab"
    if "another document" in problem:
        return "must hold one document, got a second one after `---`"
    hint = ""
    if "mapping values" in problem:
        hint = "; text that holds `: ` needs quotes"
    elif "cannot start any token" in problem:
        hint = "; text that starts with such a character needs quotes"
    return f"is not YAML: {problem}{hint}"


@dataclass
class _Reader:
    source: str
    notes: Notes
    lines: bool
    count: int = 0
    above: list[int] = field(default_factory=list)
    """Identities of the nodes around the current one: an alias of one of them never ends."""

    def value(self, node: Node, path: Path) -> object:
        self.count += 1
        if self.count == _MAX_VALUES:
            self.notes.add((), f"must hold fewer than {_MAX_VALUES} values; use fewer aliases")
        if self.count >= _MAX_VALUES:
            return None
        self.notes.locations.setdefault(path, self.location(node))
        if id(node) in self.above:
            self.notes.add(path, "must not hold itself, got an alias of what is around it")
            return None
        if isinstance(node, ScalarNode):
            return self.scalar(node, path)
        self.above.append(id(node))
        try:
            if isinstance(node, MappingNode):
                return self.mapping(node, path)
            assert isinstance(node, SequenceNode)
            self.plain_tag(node, path, "seq")
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        finally:
            self.above.pop()

    def location(self, node: Node) -> Location:
        return Location(self.source, node.start_mark.line + 1 if self.lines else 0)

    def mapping(self, node: MappingNode, path: Path) -> dict[str, object]:
        self.plain_tag(node, path, "map")
        values: dict[str, object] = {}
        first_lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            location = self.location(key_node)
            if not isinstance(key_node, ScalarNode) or str(key_node.tag) == _TAG + "merge":
                rule = "must have plain names as keys, got " + (
                    "`<<`" if _is_text(key_node) else "a collection"
                )
                self.notes.add_at(location, path, rule + "; write the keys out")
                continue
            key = str(key_node.value)
            if key in values:
                rule = (
                    f"must be given once, but stands on line {first_lines[key]} already; remove one of them"
                )
                self.notes.add_at(location, (*path, key), rule)
                continue
            first_lines[key] = location.line
            self.notes.locations[(*path, key)] = location
            values[key] = self.value(value_node, (*path, key))
        return values

    def scalar(self, node: ScalarNode, path: Path) -> object:
        text, tag = str(node.value), str(node.tag).removeprefix(_TAG)
        if tag in ("int", "float") and len(text) > _MAX_NUMBER_LENGTH:
            self.notes.add(
                path, f"must be a number of fewer than {_MAX_NUMBER_LENGTH} digits, got {len(text)}"
            )
            return None
        if tag == "null":
            return None
        if tag == "bool":
            return text.lower() in ("true", "yes", "on", "y")  # the others where a file asks for YAML 1.1
        try:
            if tag == "int":
                return _integer(text.replace("_", ""))
            if tag == "float":
                return float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
        except ValueError:  # such as `+_`, or `!!int abc`
            return text
        if tag not in ("str", "timestamp", "value", "merge"):
            self.plain_tag(node, path, "str")
            return None
        return text

    def plain_tag(self, node: Node, path: Path, kind: str) -> None:
        if str(node.tag) != _TAG + kind:
            self.notes.add(path, f"must be plain YAML, got the tag {got(str(node.tag))}; remove it")


def _is_text(node: Node) -> bool:
    return isinstance(node, ScalarNode)


def _integer(text: str) -> int:
    digits = text.lstrip("+-").lower()
    base = {"0x": 16, "0o": 8, "0b": 2}.get(digits[:2], 10)
    return int(text, base)


def plain(value: object, path: Path, notes: Notes) -> object:
    """A Python caller's dict as a document: tuples as lists, paths as text; the rest must be YAML's own."""
    if len(path) > 50:
        notes.add(path[:1], "must not be nested more than 50 levels deep")
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, list | tuple):
        return [plain(item, (*path, index), notes) for index, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {str(key): plain(item, (*path, str(key)), notes) for key, item in value.items()}
    kind = f"{type(value).__module__}.{type(value).__name__}"
    notes.add(path, f"must be a dict, list, text, number, boolean or None, got {kind}")
    return None
