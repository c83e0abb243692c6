"""space.yaml to a `StudySpec`, with all of its problems together."""

import codecs
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from ruamel.yaml import YAML

from autoft.errors import SpecError
from autoft.spec import checks
from autoft.spec.document import DataForm, Document, without_empty_keys
from autoft.spec.environment import EXPANDED, expand, redact, refuse_elsewhere
from autoft.spec.first import read_first
from autoft.spec.location import Location, Notes, Tree
from autoft.spec.models import read_models
from autoft.spec.overrides import apply_overrides
from autoft.spec.pruners import PRUNERS
from autoft.spec.samplers import SAMPLERS
from autoft.spec.scalars import study_name
from autoft.spec.shape import fit
from autoft.spec.space import SearchSpace, Value
from autoft.spec.space_section import MODEL, model_hyperparameter, read_space
from autoft.spec.study import (
    Budget,
    Checkpoints,
    Confirm,
    DataSpec,
    Faults,
    ModelRef,
    Register,
    Resources,
    SearchMethod,
    SplitSpec,
    StudySpec,
    Tracking,
    default_seed,
)
from autoft.spec.tasks import HYPERPARAMETERS, TASKS
from autoft.spec.wording import got, nearest
from autoft.spec.yaml_lines import parse, plain

_MAX_BYTES = 1_000_000  # far above any space; a data file named by mistake is not read whole


def read_spec(
    space: Path | str | Mapping[str, object],
    overrides: Sequence[str] = (),
    *,
    in_memory_data: bool = False,
    base: Path | None = None,
) -> StudySpec:
    """What the user asked for, checked and frozen.

    `space` is the path of a YAML file or a document as a dict; `overrides` are `a.b=value` with
    values in YAML. Paths are relative to `base`: the file's folder, or the working directory for a dict.
    `in_memory_data` says that the rows are handed over as data frames, so `data` need not say where
    they are. Neither data nor models are looked for here.

    Raises SpecError with all problems together.

    >>> spec = read_spec({
    ...     "study": "tickets", "task": "text-classification", "model": "org/name",
    ...     "data": {"path": "tickets.csv", "inputs": "text", "target": "queue"},
    ...     "objective": "macro_f1", "budget": {"trials": 60},
    ... }, ["space.dropout=0.2"])
    >>> [parameter.name for parameter in spec.space.parameters]
    ['learning_rate', 'unfreeze_depth', 'weight_decay']
    """
    if isinstance(space, Mapping):
        file = None
        notes = Notes(Location("space", 0))
        tree = plain(space, (), notes)
    else:
        file = Path(space)
        notes = Notes(Location(str(file), 0))
        tree = read_document(file, notes)
    if not isinstance(tree, dict):
        raise SpecError(notes.problems)
    apply_overrides(tree, overrides, notes)
    base = base or (Path(os.path.abspath(file)).parent if file else Path.cwd())
    return _read_tree(tree, file, base, in_memory_data, notes)


def read_document(file: Path, notes: Notes) -> object:
    """The mapping in a YAML file, as it stands there; anything else has a note."""
    try:
        if not file.is_file():
            notes.add((), _no_file(file))
            return None
        size = file.stat().st_size
        if size > _MAX_BYTES:
            notes.add(
                (), f"must be a space.yaml of less than {_MAX_BYTES} bytes, got {size}; is it a data file?"
            )
            return None
        content = file.read_bytes()
    except (OSError, ValueError) as error:
        notes.add((), f"must be a file that can be read, got: {getattr(error, 'strerror', None) or error}")
        return None
    text = _decoded(content, file, notes)
    if text is None:
        return None
    tree = parse(text, str(file), notes)
    if not isinstance(tree, dict) and not notes.problems:
        what = "an empty file" if tree is None else got(tree)
        notes.add((), f"must be a mapping with task, model, data, objective and budget, got {what}")
    return tree


def _decoded(content: bytes, file: Path, notes: Notes) -> str | None:
    """UTF-8, or as YAML 1.2 (5.2) has it UTF-16 with its byte order mark; else None with a note."""
    encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        rule = f"must be UTF-8 text, got the byte 0x{content[error.start]:02x}; save the file as UTF-8"
        notes.add_at(Location(str(file), line), (), rule)
        return None


def _no_file(file: Path) -> str:
    if file.is_dir():
        return "must be a file, got a folder; name the space.yaml in it"
    try:
        near = [name for name in os.listdir(file.parent) if name.endswith((".yaml", ".yml"))]
    except OSError:
        near = []
    meant = nearest(file.name, near)
    hint = f"did you mean {str(file.parent / meant)!r}?" if meant else "check the path"
    return f"must be a file that exists, got nothing there; {hint}"


@dataclass(frozen=True)
class _Sections:
    """The sections that other modules than pydantic read."""

    models: tuple[ModelRef, ...]
    space: SearchSpace
    first: tuple[dict[str, Value], ...]
    sampler: tuple[str, dict[str, Value]] | None
    pruner: tuple[str, dict[str, Value]] | None


def _read_tree(tree: Tree, file: Path | None, base: Path, in_memory_data: bool, notes: Notes) -> StudySpec:
    """The spec; raises SpecError where anything is noted."""
    refuse_elsewhere(tree, (), notes)
    given = without_empty_keys(tree)
    document = fit(Document, given, (), notes)
    sections = _read_sections(given, base, notes)
    checks.check_data(given.get("data"), in_memory_data, notes)
    name = _name(given, file, notes)
    checks.check_learn_from(given.get("search"), name, notes)
    uri, storage, address = (_secret(given, *path, notes=notes) for path in EXPANDED)
    if storage and "://" not in storage:
        # The value may be a secret, so the message does not show it.
        notes.add(
            ("search", "storage"), "must be a database URL such as postgresql://host/name, got no `://`"
        )
    checks.check_databases(uri, storage, name, notes)
    if notes.problems or document is None or sections.sampler is None or sections.pruner is None:
        raise SpecError(notes.problems)
    search, faults = document.search, document.faults
    return StudySpec(
        study=name,
        task=document.task,
        models=sections.models,
        data=_data(document.data, base),
        objective=document.objective,
        space=sections.space,
        first=sections.first,
        search=SearchMethod(
            *sections.sampler,
            *sections.pruner,
            seed=default_seed(name) if search.seed is None else search.seed,
            start=search.start,
            learn_from=search.learn_from,
            storage=storage,
            evaluations_per_epoch=search.evaluations_per_epoch,
        ),
        budget=Budget(document.budget.trials, document.budget.time, document.budget.gpu_hours),
        resources=Resources(**{**document.resources.model_dump(), "address": address}),
        faults=Faults(faults.retries, faults.trial_timeout, faults.stop_after_failures),
        checkpoints=Checkpoints(document.checkpoints.keep),
        tracking=Tracking(uri, document.tracking.experiment),
        register=Register(document.register_.name or name, document.register_.promote),
        text=_text({"study": name, **given}),
        base=base,
        confirm=Confirm(**document.confirm.model_dump()) if document.confirm else None,
        refit=document.refit,
    )


def _read_sections(given: Tree, base: Path, notes: Notes) -> _Sections:
    task = TASKS.get(str(given.get("task")))
    hyperparameters = task.hyperparameters if task else HYPERPARAMETERS
    models = read_models(given["model"], base, notes) if "model" in given else ()
    # One broken model makes all names unsure, so that nothing else is said of them.
    names = [] if notes.inside((MODEL,)) else [model.name for model in models]
    space, broken = read_space(given.get("space"), names, hyperparameters, notes)
    vocabulary = {**hyperparameters, **({MODEL: model_hyperparameter(names)} if names else {})}
    first = read_first(given.get("first"), space, broken, vocabulary, notes)
    checks.check_objective(given, task, notes)
    search = given.get("search")
    chosen = search if isinstance(search, dict) else {}
    sampler = checks.read_method(
        chosen.get("sampler", SearchMethod.sampler), SAMPLERS, ("search", "sampler"), notes
    )
    pruner = checks.read_method(
        chosen.get("pruner", SearchMethod.pruner), PRUNERS, ("search", "pruner"), notes
    )
    return _Sections(models, space, first, sampler, pruner)


def _secret(given: Tree, section: str, key: str, *, notes: Notes) -> str | None:
    """A value that may hold environment variables, with theirs in place."""
    inside = given.get(section)
    value = inside.get(key) if isinstance(inside, dict) else None
    return expand(value, (section, key), os.environ, notes) if isinstance(value, str) else None


def _name(given: Tree, file: Path | None, notes: Notes) -> str:
    """The study's name: as given, else the file's."""
    if "study" in given:
        return str(given["study"])
    if file is None:
        notes.add(
            ("study",), "is required where there is no file to name it after; for example `study: tickets`"
        )
        return ""
    try:
        return study_name(file.stem)
    except ValueError as error:
        notes.add(("study",), f"{error} from the file's name; add `study: my-study`")
        return ""


def _data(form: DataForm, base: Path) -> DataSpec:
    path = Path(os.path.abspath(base / os.path.expanduser(form.path))) if form.path else None
    return DataSpec(
        inputs=form.inputs,
        target=form.target,
        path=path,
        hub=form.hub,
        config=form.config,
        revision=form.revision,
        split=SplitSpec(**form.split.model_dump()),
        on_empty=form.on_empty,
        on_leak=form.on_leak,
    )


def _text(tree: Tree) -> str:
    """`tree` as YAML, without the passwords that a URL may hold."""
    shown = dict(tree)
    for section, key in EXPANDED:
        inside = shown.get(section)
        if isinstance(inside, dict) and isinstance(value := inside.get(key), str):
            shown[section] = {**inside, key: redact(value)}
    yaml = YAML(pure=True)
    yaml.width = _MAX_BYTES  # no line is folded
    out = StringIO()
    yaml.dump(shown, out)
    return out.getvalue()
