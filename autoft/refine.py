"""The next space: a study's request, narrowed to where its best trials lie, as a file."""

import re
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from itertools import count
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from autoft.errors import StudyError
from autoft.named import document_of, find, full_request, study_tracking_uri
from autoft.spec.describe import domain_text
from autoft.spec.read import read_spec
from autoft.spec.space import Choice, Condition, Parameter, Range, SearchSpace, Value
from autoft.spec.space_section import MODEL
from autoft.study.good_domains import FEWEST, Searched, searched_parameters
from autoft.study.layout import study_folder
from autoft.study.storage import clear_storage_errors

_COLUMNS = 110


def refine(study: str | Path) -> Path:
    """Writes the space of a next search beside the study's own, and returns its path.

    It learns from the study (`search.learn_from`), and its models compete with the study's for the same
    registered model. No file is overwritten.

    Raises:
        StudyError: too few trials were measured, the best ones lie everywhere, the rows came as data frames,
            or the folder does not take the file.
    """
    found, _ = find(study)
    name, spec = found.study_name, full_request(study, {})
    given, base = document_of(study)
    study_tracking_uri(study)  # raises where its password is not in the copy of the request
    if spec.data.path is None and spec.data.hub is None:
        raise StudyError(f"study {name!r}: its rows came as data frames, which no space.yaml can name")
    with clear_storage_errors(name):
        parameters = searched_parameters(found)
    if not parameters:
        raise StudyError(
            f"study {name!r}: fewer than {FEWEST} trials were measured, which is too few to narrow"
        )
    if all(each.good == each.domain for each in parameters):
        raise StudyError(f"study {name!r}: nothing to narrow, its best trials lie everywhere")
    following, path = _free(name, base)
    document = _narrowed(given, spec.space, parameters)
    document = _following(document, name, following)
    read_spec(_plain(document), base=base)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(_text(document, name, path))
    except OSError as error:
        raise StudyError(f"{path} cannot be written: {error.strerror}; make room there") from error
    return path


def _free(name: str, base: Path) -> tuple[str, Path]:
    """The next name of a study that neither a file in `base` nor a study has: `tickets-2`, `tickets-3`."""
    stem, number = re.fullmatch(r"(.+?)(?:-(\d+))?", name).groups()  # type: ignore[union-attr]  # it always matches
    names = (f"{stem}-{n}" for n in count(int(number or 1) + 1))
    return next((each, path) for each in names if not _taken(each, path := base / f"{each}.yaml"))


def _taken(name: str, path: Path) -> bool:
    return path.exists() or study_folder(name).exists()


def _following(document: CommentedMap, name: str, following: str) -> CommentedMap:
    """The document as a request of its own that goes on from the study `name`."""
    document["study"] = following
    document.pop("first", None)  # was tried
    search = dict(document.get("search") or {})
    earlier = search.get("learn_from") or []
    before = [earlier] if isinstance(earlier, str) else earlier
    document["search"] = {**search, "learn_from": [*before, name]}
    document["register"] = {"name": name, **(document.get("register") or {})}
    document.move_to_end("study", last=False)
    return document


def _narrowed(given: Mapping[str, Any], space: SearchSpace, parameters: Sequence[Searched]) -> CommentedMap:
    """The document with what proved good instead of what was searched, and why."""
    found = {each.name: each for each in parameters}
    entries, possible = CommentedMap(given.get("space") or {}), dict[str, tuple[Value, ...]]()
    document = CommentedMap(given)
    for parameter in space.parameters:
        searched = found.get(parameter.name)
        domain = searched.good if searched else parameter.domain
        conditions = _conditions(parameter, possible)
        possible[parameter.name] = _values(domain)
        if parameter.conditions:
            possible[parameter.name] += (
                space.resolve({})[parameter.name],
            )  # what is seen where it does not count
        if parameter.name == MODEL:
            document[MODEL] = _models(given[MODEL], parameter.domain, domain)
        elif conditions is None:
            entries[parameter.name] = space.resolve({})[parameter.name]
            _comment(entries, parameter.name, "does not count any more: its condition cannot hold")
        elif searched is not None:
            entries[parameter.name] = _entry(domain, conditions)
            _comment(entries, parameter.name, _why(searched))
    document["space"] = entries
    return document


def _why(searched: Searched) -> str:
    good = sum(point.good for point in searched.points)
    if searched.good == searched.domain:
        return f"as before: the best trials lie everywhere, or are too few that differ ({good})"
    return f"was {domain_text(searched.domain)}; narrowed to the best {good} of {len(searched.points)} trials"


def _values(domain: Choice | Range) -> tuple[Value, ...]:
    """What a condition can name; nothing of a range of fractions, which none can."""
    if isinstance(domain, Choice):
        return domain.values
    return tuple(range(int(domain.low), int(domain.high) + 1)) if domain.integer else ()


def _conditions(parameter: Parameter, possible: Mapping[str, tuple[Value, ...]]) -> list[Condition] | None:
    """The conditions that can still be one or the other; None if one cannot hold any more."""
    kept = []
    for condition in parameter.conditions:
        values = possible.get(condition.parent)
        if values is None:  # the parent is fixed
            kept.append(condition)
            continue
        holding = [condition.holds({condition.parent: value}) for value in values]
        if not any(holding):
            return None
        if not all(holding):
            named = tuple(value for value in condition.values if value in values)
            kept.append(Condition(condition.parent, named, condition.negated))
    return kept


def _entry(domain: Choice | Range, conditions: Sequence[Condition]) -> Value | CommentedSeq | CommentedMap:
    """A domain as space.yaml has it; one value alone is fixed."""
    if isinstance(domain, Range) and domain.low == domain.high:
        domain = Choice((_number(domain.low),))
    if isinstance(domain, Choice) and not conditions:
        return domain.values[0] if len(domain.values) == 1 else _flow(domain.values)
    entry = CommentedMap(
        {"values": _flow(domain.values)}
        if isinstance(domain, Choice)
        else {"low": _number(domain.low), "high": _number(domain.high)}
    )
    entry.fa.set_flow_style()
    if isinstance(domain, Range):
        entry |= {"log": True} if domain.log else {}
        entry |= {"step": domain.step} if domain.step is not None else {}
    for condition in conditions:
        told = entry.setdefault("unless" if condition.negated else "when", {})
        told[condition.parent] = _flow(condition.values)
    return entry


def _number(of: float) -> float:
    """As one writes it: 4, not 4.0."""
    return int(of) if of == int(of) else of


def _models(given: Sequence[Any], before: Choice | Range, domain: Choice | Range) -> Any:
    """Those of the models, as they were written, that are left."""
    assert isinstance(before, Choice)
    assert isinstance(domain, Choice)
    left = [raw for raw, name in zip(given, before.values, strict=True) if name in domain.values]
    return left[0] if len(left) == 1 else left


def _flow(values: Iterable[Value]) -> CommentedSeq:
    sequence = CommentedSeq(values)
    sequence.fa.set_flow_style()
    return sequence


def _comment(entries: CommentedMap, name: str, text: str) -> None:
    entries.yaml_set_comment_before_after_key(name, before=text, indent=2)


def _plain(document: Mapping[str, Any]) -> dict[str, Any]:
    """Without comments and styles."""

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: plain(of) for key, of in value.items()}
        return [plain(of) for of in value] if isinstance(value, list) else value

    return {key: plain(value) for key, value in document.items()}


def _text(document: CommentedMap, name: str, path: Path) -> str:
    document.yaml_set_start_comment(
        f"The next search after {name}, narrowed to where its best trials lie (autoft refine {name}).\n"
        f"Look through it, then: autoft check {path.name}"
    )
    yaml = YAML(pure=True)
    yaml.width = _COLUMNS
    out = StringIO()
    yaml.dump(document, out)
    return out.getvalue()
