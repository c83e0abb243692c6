"""`autoft init`: looks at data and writes the space.yaml that an expert would begin with, or an example."""

import re
from importlib.resources import files
from os.path import relpath
from pathlib import Path

from rich.console import Console

from autoft.data.look import Look, look
from autoft.data.prepare import Rows, examine
from autoft.data.roles import Roles, roles
from autoft.errors import DataError, Problem, SpecError
from autoft.first_space import EMBEDDED, Model, choose_model, described, first_space
from autoft.kernel.device import choose_device
from autoft.report import findings
from autoft.report.printing import say
from autoft.spec.location import Location, Notes
from autoft.spec.read import read_spec
from autoft.spec.scalars import study_name
from autoft.spec.yaml_lines import parse
from autoft.tasks.find import find_task

EXAMPLES = {"quickstart": ("quickstart.yaml", "quickstart.csv")}
"""By name the files in `autoft/examples/`, the space first."""


def init(data: Path, file: Path | None, model: str | None, console: Console) -> None:
    """Writes a space for `data`, a file or a folder of split files, and says what was seen.

    Args:
        data: a file, or a folder of split files.
        file: where the space goes; None is after the data's name, in the working directory.
        model: as in a space.yaml; None chooses one.
        console: where it is said.

    Raises:
        DataError: the data cannot be read, lack an input or a target, or cannot be trained on.
        SpecError: the file is there already, or cannot be written.
    """
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", data.absolute().stem).strip("-.")
    file = file or Path(f"{name or 'space'}.yaml")
    _require_space(file)
    found = look(data)
    text, of, rows = _checked(found, roles(found), model, file)
    _write(file, text.encode())
    for line in described(found, of):
        say(console, line)
    findings.tell(rows.findings, console)
    say(console, f"\n{file} is written: look at it, then run\n  autoft check {file}\n  autoft search {file}")
    if model is None and "package:" not in text:
        say(
            console,
            f"Its model comes from the hub; without a network: --model package:{EMBEDDED}, or a folder",
        )


def _checked(found: Look, of: Roles, model: str | None, file: Path) -> tuple[str, Roles, Rows]:
    """The space's text, read back, its columns, and the rows as a search would split them."""
    chosen = choose_model(of.inputs, choose_device().type == "cuda")
    if model is not None:
        folder = f"./{Path(relpath(model, file.parent)).as_posix()}" if Path(model).is_dir() else model
        chosen = Model(folder, "As given with --model.")
    text = first_space(found, of, chosen, str(file), Path(relpath(found.path, file.parent)).as_posix())
    notes = Notes(Location(str(file), 0))
    tree = parse(text, str(file), notes)
    assert isinstance(tree, dict), notes.problems
    spec = read_spec({"study": file.stem, **tree}, base=file.absolute().parent)
    try:
        return text, of, examine(spec.data, find_task(spec.task))
    except DataError as error:
        if of.group is None:
            raise
        why = f"its rows cannot stay in one split: {str(error).partition(';')[0]}"
        return _checked(found, of.without_group(why), model, file)


def write_example(name: str, console: Console) -> None:
    """Writes an example's space and data into the working directory.

    Raises:
        SpecError: there is no example of that name, or one of its files is there already.
    """
    if name not in EXAMPLES:
        raise _problem("--example", f"must be one of {', '.join(EXAMPLES)}, got {name!r}")
    for part in EXAMPLES[name]:
        _require_absent(Path(part))
    for part in EXAMPLES[name]:
        _write(Path(part), (files("autoft") / "examples" / part).read_bytes())
    space = EXAMPLES[name][0]
    say(
        console,
        f"{' and '.join(EXAMPLES[name])} are written; run\n  autoft check {space}\n  autoft search {space}",
    )


def _require_space(file: Path) -> None:
    """Raises SpecError where `file` cannot be a new space."""
    if file.suffix not in (".yaml", ".yml"):
        raise _problem(str(file), f"a space must end in .yaml or .yml, got {file.suffix or 'no suffix'}")
    try:
        study_name(file.stem)
    except ValueError as error:
        raise _problem(str(file), f"the study is named after it, and its name {error}") from None
    _require_absent(file)


def _require_absent(file: Path) -> None:
    if file.exists():
        raise _problem(str(file), "is there already; remove it, or write elsewhere (-o FILE)")


def _write(file: Path, content: bytes) -> None:
    try:
        with file.open("xb") as opened:  # nothing is overwritten, even if it has just come to be
            opened.write(content)
    except OSError as error:
        raise _problem(str(file), f"cannot be written: {error.strerror}") from None


def _problem(source: str, rule: str) -> SpecError:
    return SpecError([Problem(0, "", rule, source)])
