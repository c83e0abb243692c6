"""The shape of space.yaml: which keys there are, of which type, within which bounds.

Defaults are those of the dataclasses in `spec.study`; names are those of the registries. What a
key's docstring says is what editors show. Where the shape depends on a registry (the model, a
sampler, the space) the field is `Any` here and read by the module that knows.
"""

from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from autoft.spec.location import Tree
from autoft.spec.scalars import (
    Columns,
    Count,
    Duration,
    Gpus,
    GpuShare,
    ModelName,
    Seed,
    Size,
    StudyName,
    StudyNames,
    TaskName,
    Text,
)
from autoft.spec.space import Range
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
)


class Form(BaseModel):
    """A mapping of the file: unknown keys are refused, nothing is converted."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class ModelForm(Form):
    """A model with its revision."""

    id: Text = Field(examples=["{id: org/name, revision: main}"])
    """A hub id, a folder, or package:NAME."""
    revision: Text | None = None
    """A branch, tag or commit of the hub repository."""
    trust_remote_code: bool = ModelRef.trust_remote_code
    """Run the Python code that comes with the model; off, a model that needs its own code is refused."""
    allow_pickle: bool = ModelRef.allow_pickle
    """Also load weights that are not safetensors; the format can run code while it is read."""


class SplitForm(Form):
    """How rows are held out where the data come without splits."""

    validation: float = Field(default=SplitSpec.validation, gt=0, lt=1)
    """Share of the rows that trials are compared on."""
    test: float = Field(default=SplitSpec.test, ge=0, lt=1)
    """Share of the rows that no trial ever sees; 0 draws none."""
    stratify: bool = SplitSpec.stratify
    """Keep each label's share in every split."""
    group: Text | None = SplitSpec.group
    """A column; rows with one value of it land in the same split."""
    seed: Seed = SplitSpec.seed
    """Which rows are drawn."""


class DataForm(Form):
    """Where the rows are and which columns count."""

    path: Text | None = None
    """A csv, tsv, jsonl or parquet file or a folder of split files, relative to this file."""
    hub: Text | None = DataSpec.hub
    """A hub dataset, org/name."""
    config: Text | None = DataSpec.config
    """The hub dataset's configuration, where it has several."""
    revision: Text | None = DataSpec.revision
    """A branch, tag or commit of the hub dataset."""
    inputs: Columns = Field(examples=["inputs: text"])
    """The input column, or two for a pair."""
    target: Text = Field(examples=["target: label"])
    """The column with the labels."""
    split: SplitForm = Field(default_factory=SplitForm, examples=["split: {validation: 0.15, test: 0.15}"])
    on_empty: Literal["error", "drop"] = DataSpec.on_empty
    """What to do with rows whose input or target is empty."""
    on_leak: Literal["error", "warn", "drop"] = DataSpec.on_leak
    """What to do where rows of train or validation, or their groups, also stand in a later split."""


class SearchForm(Form):
    """How parameters are proposed and trials are stopped."""

    sampler: Any = SearchMethod.sampler
    """Proposes the parameters of the next trial: a name, or a mapping of name and options."""
    pruner: Any = SearchMethod.pruner
    """Stops bad trials early: a name, or a mapping of name and options."""
    seed: Seed | None = None
    """Everything random follows from it; absent, a number that follows from the study's name."""
    start: Literal["recommended", "random"] = SearchMethod.start
    """recommended: first the recommended configuration, the same with fewer trained blocks, and the best of
    earlier studies; random: none of them."""
    learn_from: StudyNames = Field(default_factory=tuple)
    """Earlier studies in ./studies whose trials inform this one, by how alike data and model are."""
    storage: Text | None = SearchMethod.storage
    """A database URL for the study; absent, a SQLite file in the study's folder. Takes ${NAME}."""
    evaluations_per_epoch: float | None = Field(default=SearchMethod.evaluations_per_epoch, gt=0, le=1000)
    """Measurements an epoch; absent, a dozen a trial."""


class BudgetForm(Form):
    """When the search ends."""

    trials: Count = Field(examples=["trials: 60"])
    """A total over all sessions."""
    time: Duration | None = Budget.time_s
    """Of one session, such as 8h or 1h30m, `confirm` and `refit` included; then running trials finish their
    measurement and are kept."""
    gpu_hours: float | None = Field(default=Budget.gpu_hours, gt=0, le=1e7)
    """A total over all sessions: hours of trials times the GPUs that each one holds."""


class ConfirmForm(Form):
    """After the search its best configurations are trained again on fresh seeds, and the winner is chosen."""

    top: int = Field(default=Confirm.top, ge=1, le=20)
    """So many of the best trials are compared; the default (trial 0) comes besides."""
    seeds: int = Field(default=Confirm.seeds, ge=3, le=20)
    """Fresh seeds of each configuration in the mean; fewer say too little of how much a score changes with
    the seed."""


class FaultsForm(Form):
    """What is done about trials that do not end as they should."""

    retries: int = Field(default=Faults.retries, ge=0, le=1000)
    """How often a trial is tried again whose worker process died, from its last measurement on."""
    trial_timeout: Duration = Field(default=Faults.trial_timeout_s, json_schema_extra={"default": "1h"})
    """A trial without a step for so long hangs, and its process is ended."""
    stop_after_failures: Count = Faults.stop_after_failures
    """The search stops after so many failures in a row for one and the same reason."""


class ResourcesForm(Form):
    """Where trials run and what each one gets."""

    cpus_per_trial: int = Field(default=Resources.cpus_per_trial, ge=1, le=4096)
    """CPU cores of one trial."""
    gpus_per_trial: GpuShare = Resources.gpus_per_trial
    """auto is one where there is a GPU, else none; 0.5 lets two trials share a GPU."""
    gpus: Gpus | None = Resources.gpus
    """The CUDA device indices to use; absent, all."""
    max_concurrent: Count | None = Resources.max_concurrent
    """Trials at once; absent, as many as fit."""
    nice: int | None = Field(default=Resources.nice, ge=0, le=19)
    """How much trials give way to other processes of the machine; absent, 0 on a GPU and 5 on CPUs."""
    address: Text | None = Resources.address
    """A running Ray cluster to join; absent, a Ray of the study's own. Takes ${NAME}."""
    precision: Literal["auto", "fp32", "bf16"] = Resources.precision
    """auto is bf16 on CUDA and fp32 elsewhere."""
    cache: Size = Field(default=Resources.cache, json_schema_extra={"default": "20GB"})
    """How much of a node's disk hidden states of frozen blocks may take; 0 computes them anew each time."""
    disk: Size | None = Resources.disk
    """How much the study's folder may take; what can be made again goes first. Absent, no bound."""
    cuda_graphs: bool = Resources.cuda_graphs
    """Whether a GPU replays steps as CUDA graphs; a self-check decides before the first trial."""


class CheckpointsForm(Form):
    """Which trials' weights stay on the disk."""

    keep: int = Field(default=Checkpoints.keep, ge=1, le=100_000)
    """Checkpoints of so many of the best trials are kept; those of running trials besides."""


class TrackingForm(Form):
    """Where results are published."""

    uri: Text | None = Tracking.uri
    """MLflow's tracking URI; absent, MLflow's own convention. Takes ${NAME}."""
    experiment: Text | None = Tracking.experiment
    """Absent, the study's name."""


class RegisterForm(Form):
    """How the best model is registered, and when it becomes the champion."""

    name: ModelName | None = None
    """In MLflow's model registry; absent, the study's name."""
    promote: Literal["if_better", "always", "never"] = Register.promote
    """if_better: it takes the place of a champion that it beats by more than chance, on rows new to both."""


class RangeForm(Form):
    """All numbers from low to high."""

    low: float
    high: float
    log: bool = Range.log
    """Sampled on a logarithmic scale; low must be above 0."""
    step: float | None = Range.step
    """Only low, low + step, and so on up to high."""
    when: Any = None
    """Searched only when the named parameters have these values."""
    unless: Any = None
    """Searched only when the named parameters do not have these values."""


class ChoiceForm(Form):
    """One of a few values, with conditions."""

    values: list[Any] = Field(min_length=1)
    when: Any = None
    """Searched only when the named parameters have these values."""
    unless: Any = None
    """Searched only when the named parameters do not have these values."""


class Document(Form):
    """A search: which model, on which data, over which space, for how long."""

    study: StudyName | None = None
    """Absent, the file's name."""
    task: TaskName = Field(examples=["task: text-classification"])
    """What the model is fine-tuned for."""
    model: Any = Field(examples=["model: sentence-transformers/all-MiniLM-L6-v2"])
    """A hub id, a folder or package:NAME; a mapping of id and revision; a list is searched."""
    data: DataForm = Field(examples=["data: {path: rows.csv, inputs: text, target: label}"])
    objective: Text = Field(examples=["objective: macro_f1"])
    """The metric that decides; it knows its direction."""
    space: Any = None
    """Hyperparameters: a scalar is fixed, a list is a choice, low and high are a range."""
    first: Any = None
    """Parameters that are tried before anything is sampled."""
    search: SearchForm = Field(default_factory=SearchForm, examples=["search: {sampler: tpe, seed: 7}"])
    budget: BudgetForm = Field(examples=["budget: {trials: 60}"])
    confirm: ConfirmForm | None = Field(default=None, examples=["confirm: {top: 3, seeds: 5}"])
    """Absent, the winner is the trial with the best score."""
    refit: bool = Field(default=StudySpec.refit, examples=["refit: true"])
    """The winner is trained again on training and validation rows together: that is the model."""
    resources: ResourcesForm = Field(
        default_factory=ResourcesForm, examples=["resources: {cpus_per_trial: 1}"]
    )
    faults: FaultsForm = Field(default_factory=FaultsForm, examples=["faults: {retries: 2}"])
    checkpoints: CheckpointsForm = Field(default_factory=CheckpointsForm, examples=["checkpoints: {keep: 3}"])
    tracking: TrackingForm = Field(
        default_factory=TrackingForm, examples=["tracking: {experiment: my-study}"]
    )
    register_: RegisterForm = Field(
        alias="register", default_factory=RegisterForm, examples=["register: {name: my-model}"]
    )


def key_paths(form: type[Form] = Document, above: str = "") -> dict[str, list[str]]:
    """Every key of the file, to the dotted places where it belongs."""
    paths: dict[str, list[str]] = {}
    for key, annotation in keys_of(form).items():
        paths.setdefault(key, []).append(above + key)
        if isinstance(annotation, type) and issubclass(annotation, Form):
            for inner, places in key_paths(annotation, f"{above}{key}.").items():
                paths.setdefault(inner, []).extend(places)
    return paths


def keys_of(form: type[Form]) -> dict[str, Any]:
    """The keys of one mapping of the file, to their types."""
    return {field.alias or name: _given(field.annotation) for name, field in form.model_fields.items()}


def _given(annotation: Any) -> Any:
    """The form of a section that may be left out, without its None; other annotations as they are."""
    forms = [each for each in get_args(annotation) if isinstance(each, type) and issubclass(each, Form)]
    return forms[0] if forms else annotation


def without_empty_keys(tree: Tree) -> dict[str, object]:
    """`tree` less the keys that have no value: a key without a value counts as not given."""
    return {
        key: without_empty_keys(value) if isinstance(value, dict) and key not in ("space", "first") else value
        for key, value in tree.items()
        if value is not None
    }
