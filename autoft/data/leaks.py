"""What is done about rows of train or validation that also stand in a later split: `data.on_leak`."""

from collections.abc import Mapping

import numpy as np

from autoft.data.copies import RULE, Key, copies, row_keys
from autoft.data.finding import Finding, Severity
from autoft.data.groups import crossing_groups, crossing_values, unnamed_groups
from autoft.data.rows import RawSplit
from autoft.errors import DataError
from autoft.spec.study import DataSpec

_WAY_OUT = "leave them out of the earlier split with data.on_leak: drop, or keep them with data.on_leak: warn"


def without_leaks(
    splits: Mapping[str, RawSplit], spec: DataSpec
) -> tuple[dict[str, RawSplit], list[Finding]]:
    """The splits that a study is to have, and what was found: copies, and groups in more than one split.

    With `on_leak: drop`, train and validation lose the rows whose copy, or whose group, is in a later split.
    Where it is `error`, such rows are findings of that severity, and it is for the caller to refuse them.

    Args:
        splits: in the order train, validation, test.
        spec: the request.

    Raises:
        DataError: nothing is left of a split.
    """
    severity: Severity = "error" if spec.on_leak == "error" else "warning"
    found: list[Finding] = []
    if spec.on_leak == "drop":
        splits, found = _dropped(splits, spec)
    fix = "keep each in one split" if severity == "warning" else _WAY_OUT
    found += copies(splits, spec.inputs, spec.target, severity=severity, fix=fix)
    if spec.split.group:
        found += crossing_groups(splits, spec.split.group, severity, fix)
    else:
        found += unnamed_groups(splits, spec.inputs, spec.target)
    return dict(splits), found


def _dropped(splits: Mapping[str, RawSplit], spec: DataSpec) -> tuple[dict[str, RawSplit], list[Finding]]:
    group = spec.split.group
    crossing = crossing_values(splits, group) if group else {}
    kept, dropped = dict(splits), dict[str, int]()
    later: set[Key] = set()
    for name, split in reversed(list(splits.items())):
        keys = row_keys(split, spec.inputs)
        leaks = np.array([key in later for key in keys])
        if group:
            # A group stays in the last split that has it.
            home = [crossing.get(value, (name,))[-1] for value in split.columns[group]]
            leaks |= np.array([each != name for each in home])
        later.update(key for key, leaks_here in zip(keys, leaks, strict=True) if not leaks_here)
        if leaks.all():
            raise DataError(
                f"{split.source}: data.on_leak: drop leaves nothing of {name}: all its {len(split):,} rows "
                "also stand in a later split; give it rows of its own"
            )
        if leaks.any():
            kept[name], dropped[name] = split.keep(~leaks), int(leaks.sum())
    if not dropped:
        return kept, []
    rows = " and ".join(
        f"{n:,} of {len(splits[name]):,} {name} rows" for name, n in reversed(list(dropped.items()))
    )
    also = f", or of whose `{group}` others do" if group else ""
    return kept, [
        Finding(
            rule=RULE,
            said=f"{rows} were left out that also stand in a later split{also}",
            fix="data.on_leak: drop",
            counts=dropped,
            severity="note",
        )
    ]
