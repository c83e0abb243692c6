"""Which column is for what: inputs, target and groups, as an expert would guess them from names and cells."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from autoft.data.groups import looks_like_a_group
from autoft.data.look import Column, Look
from autoft.data.rows import listed
from autoft.errors import DataError

TARGET_WORDS = ("label", "labels", "target", "targets", "class", "gold", "y")
"""Names of a column that say that it is the target."""
LIKELY_WORDS = (
    *("category", "categories", "intent", "intents", "sentiment", "topic", "topics", "tag", "tags"),
    *("emotion", "emotions", "score", "rating", "stars", "priority", "severity", "genre", "type", "kind"),
    *("relevant", "relevance", "similarity", "urgency", "polarity", "stance", "grade", "price", "queue"),
    *("department", "status", "outcome", "result", "decision"),
)
"""Names that make it likely."""
ID_WORDS = (
    *(
        "id",
        "ids",
        "uid",
        "qid",
        "pid",
        "uuid",
        "guid",
        "key",
        "index",
        "idx",
        "email",
        "phone",
        "user",
        "username",
        "customer",
    ),
    *("client", "author", "patient", "speaker", "reviewer", "account", "session", "thread", "conversation"),
    *("dialog", "dialogue", "document", "doc", "name"),
)
"""Names of what a row belongs to: never an input, and no target."""
NUMBER_LABELS = 20
"""So many different whole numbers may be labels; more are numbers."""
FEWEST = 3
"""Rows that a label needs, one for each split."""
FEWEST_GROUPS = 20
"""With fewer, the splits would be far from their shares."""
REPEATS = 1.5
"""Rows of each group in the mean, from which on its rows are kept together."""
_WRITE = "frame.to_json('rows.jsonl', orient='records', lines=True), then autoft init rows.jsonl"
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,?[0-9]*")
_TAG = re.compile(r"O|[A-Z]-.+")


@dataclass(frozen=True)
class Roles:
    """What each column is for."""

    inputs: tuple[Column, ...]
    target: Column
    group: Column | None
    """The rows of one value stay in one split; None: every row is by itself."""
    others: dict[str, str]
    """The columns that are for nothing, and why."""
    is_number: bool
    """Whether the target is a number to be predicted, not the name of a class."""

    def without_group(self, why: str) -> "Roles":
        """The same, but every row is by itself."""
        assert self.group is not None
        name = f"{self.group.name} (as group)" if self.group in self.inputs else self.group.name
        return replace(self, group=None, others={**self.others, name: why})


def roles(found: Look) -> Roles:
    """A role for each column.

    Raises DataError where there is no input or no target, with what each column is taken for.
    """
    others = dict(found.left_out)
    columns = []
    for column in found.columns:
        if why := _useless(column, found.rows):
            others[column.name] = why
        else:
            columns.append(column)
    if tagged := _tagged(columns):
        rest = {each.name: "no words and no tags" for each in columns if each not in tagged}
        return Roles((tagged[0],), tagged[1], None, {**others, **rest}, is_number=False)
    inputs = _inputs(columns)
    group = _group(columns, inputs) if "validation" not in found.sizes else None
    candidates: list[Column] = []
    for column in columns:
        if column in inputs or column is group:
            continue
        if why := _no_target(column):
            others[column.name] = why
        else:
            candidates.append(column)
    if not inputs or not candidates:
        others |= {each.name: "could be the target" for each in candidates}
        raise DataError(_missing(found, inputs, group, others))
    target = max(candidates, key=lambda each: (_likely(each), columns.index(each)))
    _require_one_value(target, found, candidates)
    others |= {each.name: _beside(each, target) for each in candidates if each is not target}
    return Roles(inputs, target, group, others, is_number=_is_scale(target))


def _useless(column: Column, rows: int) -> str | None:
    """Why a column tells nothing, whatever it is."""
    if not column.counts:
        return "empty"
    if len(column.filled) < 0.5 * rows:
        return f"empty in {1 - len(column.filled) / rows:.0%} of the rows"
    if len(column.counts) == 1:
        return f"the same in every row: {next(iter(column.counts))!r:.40}"
    if column.is_dates:
        return "dates"
    if column.is_links:
        return "links"
    if column.is_files:
        return "paths of images or sounds"
    return None


def _tagged(columns: Sequence[Column]) -> tuple[Column, Column] | None:
    """A column of words, and one with a tag for each of them."""
    lists = [column for column in columns if column.holds_lists]
    for tags in lists:
        if not all(map(_TAG.fullmatch, tags.counts)):
            continue
        for words in lists:
            if words is not tags and list(map(_size, words.cells)) == list(map(_size, tags.cells)):
                return words, tags
    return None


def _size(cell: object) -> int:
    return len(cell) if isinstance(cell, tuple) else 0


def _inputs(columns: Sequence[Column]) -> tuple[Column, ...]:
    """The column of texts, or both of a pair; of more than two that of the longest texts.

    Where nobody has written several words, single ones: names to be sorted by country, say.
    """
    texts = [each for each in columns if each.texts and each.numbers is None]
    plain = [each for each in texts if not _is_named(each, (*ID_WORDS, *TARGET_WORDS))]
    for among in (plain, texts):
        prose = [each for each in among if each.is_prose]
        if prose:
            return tuple(prose) if len(prose) <= 2 else (max(prose, key=lambda each: each.lengths.sum()),)
    single = (*plain, *(each for each in texts if _is_named(each, ("name", "names"))))
    return tuple(each for each in single if len(each.counts) > 0.5 * len(each.texts))[:1]


def _group(columns: Sequence[Column], inputs: Sequence[Column]) -> Column | None:
    """What several rows belong to: the coarsest, else the texts of a pair that come back with others."""
    others = [each for each in columns if each not in inputs]
    named = [each for each in others if _is_named(each, ID_WORDS) or looks_like_a_group(each.name)]
    pairs = inputs if len(inputs) == 2 else ()
    for candidates in (named, pairs):
        groups = [
            each
            for each in candidates
            if not each.holds_lists
            and not _is_named(each, (*TARGET_WORDS, *LIKELY_WORDS))
            and len(each.counts) >= FEWEST_GROUPS
            and each.rows_each >= REPEATS
            and len(each.filled) == len(each.cells)
        ]
        if groups:
            return min(groups, key=lambda each: len(each.counts))
    return None


def _no_target(column: Column) -> str | None:
    """Why a column cannot be what is predicted."""
    different, rows = len(column.counts), len(column.filled)
    if column.holds_lists:
        often = sum(column.counts.values()) >= FEWEST * different
        return None if often else "lists of what hardly ever comes back"
    if _is_named(column, ID_WORDS) and not _is_named(column, (*TARGET_WORDS, *LIKELY_WORDS)):
        return "a different one in every row" if different == rows else "an id, by its name"
    if column.numbers is not None:
        whole = not (column.numbers % 1).any()
        return "a different one in every row" if whole and different == rows else None
    if column.is_prose:
        return "more text"
    if column.is_mostly(_DECIMAL_COMMA):
        return "numbers with a decimal comma; write them with a point"
    if different == rows:
        return "a different one in every row"
    often = sum(n for n in column.counts.values() if n >= FEWEST) > rows / 2
    if different > rows / FEWEST and not (often and _is_named(column, (*TARGET_WORDS, *LIKELY_WORDS))):
        return f"{different:,} different values in {rows:,} rows"
    return None


def _is_scale(column: Column) -> bool:
    """Whether its numbers are to be predicted as numbers, not as labels."""
    if column.numbers is None:
        return False
    return bool((column.numbers % 1).any()) or len(column.counts) > NUMBER_LABELS


def _beside(column: Column, target: Column) -> str:
    """Why a column is not the target that could be one."""
    both = len(set(zip(column.cells, target.cells, strict=True)))
    if both == len(column.counts) == len(target.counts):
        return f"says the same as `{target.name}`"
    return "could be the target as well"


def _likely(column: Column) -> tuple[int, bool, bool]:
    """By its name; then by its cells: names of classes before numbers of classes before other numbers."""
    by_name = 2 * _is_named(column, TARGET_WORDS) or 1 * _is_named(column, LIKELY_WORDS)
    return by_name, column.numbers is None, not _is_scale(column)


def _is_named(column: Column, words: Sequence[str]) -> bool:
    return not column.words.isdisjoint(words)


def _require_one_value(target: Column, found: Look, candidates: Sequence[Column]) -> None:
    """Raises DataError where several labels are written in one cell, or as a column for each."""
    if mark := _joined_by(target):
        column = f"frame[{target.name!r}]"
        raise DataError(
            f"{found.path.name}: column `{target.name}` holds several labels a row, with {mark!r} between "
            "them; they must be lists. With pandas: "
            f"{column} = {column}.fillna('').str.split({mark!r}); {_WRITE}"
        )
    flags = [each.name for each in candidates if set(each.counts) <= {"0", "1"}]
    if target.name in flags and len(flags) >= 3 and not _is_named(target, TARGET_WORDS):
        lists = "[[name for name in names if row[name]] for _, row in frame.iterrows()]"
        raise DataError(
            f"{found.path.name}: the columns {listed(flags, '`')} hold 0 and 1, so they look like "
            "several labels a row; these must be one column of lists. If one is the target, drop the others. "
            f"Else with pandas: names = {flags}; frame['labels'] = {lists}; "
            f"frame = frame.drop(columns=names); {_WRITE}"
        )


def _joined_by(column: Column) -> str | None:
    """What separates several labels in a cell; None where a cell is one label."""
    if column.numbers is not None:
        return None
    for mark in "|;,":
        several = [text for text in column.texts if mark in text]
        parts = Counter(part.strip() for text in column.texts for part in text.split(mark))
        alone = set(column.texts) - set(several)
        if len(several) > 0.1 * len(column.texts) and len(parts) < len(column.counts) and alone <= set(parts):
            return mark
    return None


def _missing(found: Look, inputs: Sequence[Column], group: Column | None, others: dict[str, str]) -> str:
    """What the file lacks, and what each of its columns is taken for."""
    taken = {each.name: "the input" for each in inputs}
    taken |= {group.name: "says which rows belong together"} if group and group not in inputs else {}
    lines = [f"  `{name}`: {why}" for name, why in {**taken, **others}.items()]
    if not inputs:
        what = "no column can be the input; a model learns from a column of texts, or of lists of words"
    else:
        what = (
            "no column can be the target, what the model is to predict. Add one: a label that is in at least "
            f"{FEWEST} rows, a number, a list of labels, or a list of tags such as B-NAME for a list of words"
        )
    return "\n".join([f"{found.path.name}: {what}. Its columns:", *lines])
