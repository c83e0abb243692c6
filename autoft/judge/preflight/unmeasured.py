"""Labels that no score tells of, because no validation row has them."""

from collections.abc import Mapping

from autoft.data.finding import Finding
from autoft.data.rows import EXAMPLES


def unmeasured(counts: Mapping[str, Mapping[str, int]], occurrence: str) -> list[Finding]:
    """A warning where labels, tags or types are trained on and never measured: rare ones stay in train.

    Args:
        counts: by split, how often each occurs.
        occurrence: what occurs, such as `label`.
    """
    train, validation = counts["train"], counts["validation"]
    lacking = [
        name for name, n in sorted(train.items(), key=lambda each: each[1]) if n and not validation[name]
    ]
    if occurrence == "range" or not lacking:
        return []
    be = "is" if len(lacking) == 1 else "are"
    return [
        Finding(
            rule="unmeasured",
            said=f"{len(lacking):,} of {len(train):,} {occurrence}s {be} in train and in no validation row",
            fix="They are trained on, and no score tells how well they are found: add rows of them, or merge "
            "rare ones with others or into one",
            counts={"labels": len(lacking)},
            examples=tuple(f"{name!r}: {train[name]:,} in train" for name in lacking[:EXAMPLES]),
        )
    ]
