"""How the search and its winner can be made again."""

from autoft.report import words
from autoft.report.page.blocks import Code, Section, Table
from autoft.report.page.reported import Reported
from autoft.study.layout import SPACE


def reproduce(reported: Reported) -> Section:
    """The request, the winner's values and seed, and the versions that the last session ran with."""
    info, winner = reported.info, reported.winner
    parts: list[str | Code | Table] = [
        f"The request, also in {SPACE} beside this page. With the same rows, versions and kind of machine:",
        Code(f"autoft search {info.name}.yaml"),
        Code(info.text.rstrip()),
    ]
    if winner is not None:
        values = [
            (name, words.value(value), "searched" if name in winner.params else "")
            for name, value in winner.values.items()
        ]
        seed = reported.confirmed.seed if reported.confirmed is not None else winner.seed
        caption = f"The winner: trial {winner.number}, seed {seed}"
        parts.append(Table(caption, ("hyperparameter", "value", ""), values, (1,)))
        parts.append("Its model, from any machine that reaches the tracking server:")
        parts.append(Code(f'import autoft\n\nmodel = autoft.load_best_model("{info.name}")'))
    if info.versions:
        parts.append(Table("Versions", ("package", "version"), list(info.versions.items())))
    digest = info.data.get("digest")
    if digest:
        parts.append(f"Digest of the rows: {digest}")
    return Section("How to reproduce it", "request, values, seed, versions", parts)
