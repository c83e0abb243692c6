"""What a study keeps at its boundaries: a value, decided once (`decide`), stored in the study and kept.

The last bits of a row's states depend on the batch that they were computed in, so a trial's result depends
on which boundaries are stored and how they are filled. Nothing that happens later changes this plan: not a
deleted cache, a full disk, nor a faster machine. It is read with a study's trials, so it needs no torch.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, cast

from autoft.spec.space import Value

Cut = tuple[int, ...]
"""The boundaries whose states are stored together: one, or an encoder's end and one in its decoder."""
Layout = Literal["ragged", "fixed", "first", "last", "mean"]
"""What is kept of a row: the states of each of its tokens; states of one shape for all rows; or one vector,
its first or last token's or the mean of all."""
VECTORS: tuple[Layout, ...] = ("first", "last", "mean")


@dataclass(frozen=True)
class Boundary:
    """One boundary of one model and length of rows that is kept: one file."""

    model: str
    """The reference from space.yaml."""
    max_length: int | None
    """As `CachePlan.length` gives it."""
    boundary: int
    """Blocks below."""
    layout: Layout
    """A vector only for the head, which may read no more of a row."""
    shape: tuple[int, ...]
    """Of a token's states where rows are ragged, else of a row's; the numbers of both boundaries of a cut."""
    bytes: int
    """Of training and validation rows together."""
    encoder: int | None = None
    """Where a decoder is cut: the boundary of its encoder's output, which is stored with the states."""
    readers: tuple[int, ...] = ()
    """How many blocks are frozen at the depths that read it; empty where `boundary` are. An encoder's output
    may be all that is stored below cuts in its decoder."""
    depths: tuple[int, ...] = ()
    """The values of `unfreeze_depth` that read it; none where an earlier version planned it."""
    pass_spares_s: float = field(default=0.0, compare=False)
    """Seconds that a pass over all rows takes less, by what a few rows took; to tell of, not to decide by."""

    @property
    def read_at(self) -> tuple[int, ...]:
        """How many blocks are frozen at the depths that read it, ascending."""
        return self.readers or (self.boundary,)

    @property
    def cut(self) -> Cut:
        """The boundaries whose states the file holds."""
        return (self.boundary,) if self.encoder is None else (self.encoder, self.boundary)


@dataclass(frozen=True)
class CachePlan:
    """Which boundaries are kept, how they are filled, and how else a trial is computed."""

    boundaries: tuple[Boundary, ...] = ()
    """Per model and length from the lowest to the highest."""
    notes: tuple[str, ...] = ()
    """What is not kept, and which steps are captured, and why not; for `autoft check` and the log."""
    warnings: tuple[str, ...] = ()
    """The same where a run with stored states differed from one without."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """The compute dtype."""
    first_token: Mapping[str, str] = field(default_factory=dict)
    """By model, the part of its top block from which on each row's first token is enough (`top_block`)."""
    tables: Mapping[str, str] = field(default_factory=dict)
    """By model, the embeddings of which only those of tokens that occur are trained (`vocabulary`)."""
    fill_tokens: int = 0
    """Of a batch that fills, with its padding; the rows' lengths alone decide which rows it holds.
    0 where nothing is kept."""
    longest: Mapping[str, int] = field(default_factory=dict)
    """By model, tokens of the longest row; empty where all trials have the same `max_length`."""
    encoding: Mapping[str, Value] = field(default_factory=dict)
    """What else decides how rows are encoded, with the values at which models were examined; by name."""

    mixing_padding: tuple[str, ...] = ()
    """Models that answer to a row by how far its batch is padded (`valid.padding_matters`)."""
    graphs: tuple[str, ...] = ()
    """Models whose steps are captured as CUDA graphs (`kernel.step`)."""

    def at(self, values: Mapping[str, Value]) -> "CachePlan":
        """What of it holds for a trial with these `values` of the task's own hyperparameters.

        All of it, or nothing where rows are encoded otherwise than those on which models were examined.
        """
        alike = all(values[name] == value for name, value in self.encoding.items())
        return (
            self
            if alike
            else CachePlan(dtype=self.dtype, mixing_padding=self.mixing_padding, graphs=self.graphs)
        )

    def length(self, model: str, max_length: int | None) -> int | None:
        """At which length a trial's rows are encoded: where no row is cut, it is the longest row's.

        None is that of a task without `max_length`.
        """
        return None if max_length is None else min(max_length, self.longest.get(model, max_length))

    def read(self, model: str, max_length: int | None, frozen: int) -> Boundary | None:
        """What stands for the lowest `frozen` blocks, or for their encoder; None where nothing is kept."""
        return next((each for each in self.of(model, max_length) if frozen in each.read_at), None)

    def of(self, model: str, max_length: int | None) -> tuple[Boundary, ...]:
        """What is kept of one model and length, from the lowest boundary to the highest."""
        return tuple(each for each in self.boundaries if (each.model, each.max_length) == (model, max_length))

    @property
    def bytes(self) -> int:
        """Of everything that is kept."""
        return sum(each.bytes for each in self.boundaries)

    def to_json(self) -> dict[str, Any]:
        """JSON values only."""
        return asdict(self)

    @staticmethod
    def from_json(stored: Mapping[str, Any]) -> "CachePlan":
        """The plan that `to_json` gave."""
        return CachePlan(
            boundaries=tuple(map(_boundary, stored["boundaries"])),
            notes=tuple(stored["notes"]),
            warnings=tuple(stored["warnings"]),
            dtype=cast(Literal["float32", "bfloat16"], stored["dtype"]),
            first_token=dict(stored["first_token"]),
            tables=dict(stored["tables"]),
            fill_tokens=int(stored["fill_tokens"]),
            longest=dict(stored.get("longest", {})),  # studies of format 6 have none
            encoding=dict(stored.get("encoding", {})),
            mixing_padding=tuple(stored.get("mixing_padding", ())),
            graphs=tuple(stored.get("graphs", ())),
        )


def _boundary(stored: Mapping[str, Any]) -> Boundary:
    of = dict(stored)
    if "reads" in of:  # stored by an earlier version: `all`, or one token's vector
        reads, width = of.pop("reads"), of.pop("width")
        of |= (
            {"layout": "ragged", "shape": [width]}
            if reads == "all"
            else {"layout": reads, "shape": [1, width]}
        )
    tuples = {name: tuple(of.get(name, ())) for name in ("shape", "readers", "depths")}
    return Boundary(**of | tuples)
