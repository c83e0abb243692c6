"""What the user asked for, checked and frozen: the meaning of a space.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from autoft.spec.hyperparameters import MAX_LENGTH
from autoft.spec.metrics import Metric
from autoft.spec.space import SearchSpace, Value
from autoft.spec.tasks import TASKS


@dataclass(frozen=True)
class ModelRef:
    """A pretrained model, as the user named it."""

    name: str
    """The reference as it stands in space.yaml; what runs, tags and artifacts show."""
    kind: Literal["hub", "folder", "package"]
    location: str
    """The hub id, the folder's absolute path, or the Python package's distribution name."""
    revision: str | None = None
    trust_remote_code: bool = False
    """Whether code that comes with the model may run."""
    allow_pickle: bool = False
    """Whether weights may be in a format that can run code, instead of safetensors."""
    weights: str | None = None
    """Digest of the weights that were found there; None before anybody looked."""
    tokenizer: str | None = None
    """The same of the tokenizer."""


@dataclass(frozen=True)
class SplitSpec:
    """How rows are held out where the data come without splits."""

    validation: float = 0.15
    """Share of the rows."""
    test: float = 0.15
    """Share of the rows; 0 draws none."""
    stratify: bool = True
    group: str | None = None
    """A column; all rows with one value of it land in the same split."""
    seed: int = 13


@dataclass(frozen=True)
class DataSpec:
    """Where the rows are and which columns count."""

    inputs: tuple[str, ...]
    """One column, or two for a pair."""
    target: str
    path: Path | None = None
    """A file (csv, tsv, jsonl, parquet) or a folder of split files; absolute."""
    hub: str | None = None
    config: str | None = None
    """The hub dataset's configuration, where it has several."""
    revision: str | None = None
    split: SplitSpec = field(default_factory=SplitSpec)
    on_empty: Literal["error", "drop"] = "error"
    on_leak: Literal["error", "warn", "drop"] = "error"
    """What is done where rows of train or validation, or their groups, also stand in a later split."""


def default_seed(study: str) -> int:
    """The seed of a study that names none: studies of different names try different configurations."""
    return int.from_bytes(blake2b(study.encode(), digest_size=2).digest(), "big")


@dataclass(frozen=True)
class SearchMethod:
    """How parameters are proposed and trials are stopped."""

    sampler: str = "tpe"
    sampler_options: Mapping[str, Value] = field(default_factory=dict)
    pruner: str = "successive_halving"
    pruner_options: Mapping[str, Value] = field(default_factory=dict)
    seed: int = 0
    start: Literal["recommended", "random"] = "recommended"
    """Whether the recommended configuration, the same with fewer trained blocks, and the best of earlier
    studies come before the rest."""
    storage: str | None = None
    """An RDB URL with secrets expanded; None is SQLite in the study's folder. Never logged."""
    evaluations_per_epoch: float | None = None
    """None is a dozen evenly spaced over the trial."""
    learn_from: tuple[str, ...] = field(default_factory=tuple)
    """Earlier studies in ./studies whose trials inform the start and the sampler; by name."""


@dataclass(frozen=True)
class Budget:
    """When the search ends."""

    trials: int
    """A total over all sessions; COMPLETE, PRUNED and FAIL count."""
    time_s: float | None = None
    """Of one session, in seconds, confirmation and refit included (`study.reserve`); at the end running
    trials finish their measurement and are kept."""
    gpu_hours: float | None = None
    """A total over all sessions: hours of trials times the GPUs that each one holds."""


@dataclass(frozen=True)
class Faults:
    """What is done about trials that do not end as they should."""

    retries: int = 2
    """How often a trial is tried again whose worker process died; from its last measurement."""
    trial_timeout_s: float = 3600.0
    """A trial without a step for so long hangs, and its process is ended."""
    stop_after_failures: int = 5
    """Failures in a row for one and the same reason after which the search stops: the next would fail too."""


@dataclass(frozen=True)
class Resources:
    """Where trials run and what each one gets."""

    cpus_per_trial: int = 1
    gpus_per_trial: float | None = None
    """A share of one GPU; None is one where there is a GPU, else none."""
    gpus: tuple[int, ...] | None = None
    """The CUDA device indices to use; None is all."""
    max_concurrent: int | None = None
    address: str | None = None
    """A running Ray cluster; None starts a local Ray for the study."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    cache: int = 20 * 10**9
    """Bytes on a node's disk that hidden states at the boundary of frozen blocks may take; 0 keeps none."""
    disk: int | None = None
    """Bytes that the study's folder may take, all in all; None is no bound."""
    nice: int | None = None
    """How much a trial's process gives way to others; None is 0 where a trial gets a GPU, else 5."""
    cuda_graphs: bool = False
    """Whether optimizer steps are captured as CUDA graphs, where they can be."""


@dataclass(frozen=True)
class Checkpoints:
    """Which trials' checkpoints a study keeps."""

    keep: int = 3
    """Those of the best trials; running ones have theirs besides."""


@dataclass(frozen=True)
class Tracking:
    """Where results are published."""

    uri: str | None = None
    """With secrets expanded; None is MLflow's own convention. Never logged."""
    experiment: str | None = None
    """None is the study's name."""


@dataclass(frozen=True)
class Register:
    """Where the best model goes in MLflow's model registry, and when it is the one to use."""

    name: str
    """Of the registered model."""
    promote: Literal["if_better", "always", "never"] = "if_better"
    """When a new version takes the alias `champion` from another."""


@dataclass(frozen=True)
class Confirm:
    """Which configurations are trained again on fresh seeds when no more trials begin."""

    top: int = 3
    """The best COMPLETE trials by score; the default comes besides."""
    seeds: int = 5
    """Fresh seeds of each in the mean (`judge.rounds`)."""


@dataclass(frozen=True)
class StudySpec:
    """One search, whole. Frozen: what a run does is decided here and nowhere else."""

    study: str
    task: str
    models: tuple[ModelRef, ...]
    """More than one: the model is a searched parameter named `model`."""
    data: DataSpec
    """Without path and hub where the caller hands in data frames (then see `autoft.study`)."""
    objective: str
    """The metric's name."""
    space: SearchSpace
    first: tuple[Mapping[str, Value], ...]
    """Parameters to try before anything is sampled."""
    search: SearchMethod
    budget: Budget
    resources: Resources
    faults: Faults
    checkpoints: Checkpoints
    tracking: Tracking
    register: Register
    text: str
    """The resolved space.yaml with environment variables unexpanded: what artifacts may show."""
    base: Path = Path()
    """The folder in which relative paths of the request begin; absolute."""
    confirm: Confirm | None = None
    """None: the best score wins, on its one seed."""
    refit: bool = False
    """Whether the winner is trained again, on training and validation rows together."""

    @property
    def metric(self) -> Metric:
        """The objective, which knows its direction."""
        return TASKS[self.task].metrics[self.objective]

    @property
    def max_length(self) -> int | None:
        """The largest `max_length` of the space; None where the task has none, so that no row is cut."""
        name = MAX_LENGTH.name
        return int(self.space.ends(name)[1]) if name in TASKS[self.task].hyperparameters else None

    @property
    def own_values(self) -> dict[str, Value]:
        """The task's own hyperparameters as a trial of this space can have them, with the longest rows.

        What is found out before the first trial is found at these values.
        """
        task, first = TASKS[self.task], self.space.first()
        return task.cut_at({each.name: each.typed(first[each.name]) for each in task.own}, self.max_length)

    def model(self, name: str) -> ModelRef:
        """The model reference that a trial's `model` parameter names."""
        return next(model for model in self.models if model.name == name)
