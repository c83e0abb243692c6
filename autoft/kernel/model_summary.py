"""What a pretrained model is made of, held against what a space asks of it: before the first trial."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pyarrow as pa

from autoft.data.targets import Targets
from autoft.errors import ModelError
from autoft.kernel.blocks import describe_depths, require_depth
from autoft.kernel.pretrained import (
    Pretrained,
    load_pretrained,
    require_max_length,
    resolve,
    token_limit,
    weights_digest,
)
from autoft.spec.default_domains import deepest, fit_domains
from autoft.spec.hyperparameters import Depth
from autoft.spec.recommended import RATE, recommended_in, with_recommended
from autoft.spec.study import StudySpec
from autoft.tasks.find import find_task


@dataclass(frozen=True)
class ModelSummary:
    """One pretrained model, with a head for the study's labels."""

    name: str
    """As it stands in space.yaml."""
    architecture: str
    blocks: int
    block_kind: str
    """The class of its blocks."""
    parameters: int
    trained: Mapping[Depth, int]
    """For each depth from 0 to all: how many numbers are trained."""
    token_limit: int | None = None
    """How many tokens a row can have; None where there is no end."""

    @property
    def build(self) -> str:
        """What models of the same architecture and depth have in common."""
        return f"{self.architecture} of {self.blocks} blocks"


def fit_to_models(
    spec: StudySpec, targets: Targets, train_rows: int, rows: pa.Table | None = None
) -> tuple[StudySpec, tuple[ModelSummary, ...]]:
    """The request as its models can fulfil it, and what these are made of.

    Depths and learning rates that are searched by default are fitted to the models. What the user did not
    mention and the space does not search gets its recommended value for the first model. The models get the
    digests of their weights and of their tokenizers.

    Args:
        spec: the request.
        targets: what the task has learned of the target column.
        train_rows: how many there are.
        rows: some of them, on which the models are examined; see `load_pretrained`.

    Raises:
        ModelError: a model cannot be loaded, does not know the tokens of its tokenizer, or the user asks for
            more blocks or longer rows than it has.
    """
    summary, models, task = [], [], find_task(spec.task)
    for ref in spec.models:
        loaded = load_pretrained(resolve(ref), targets, task, rows, spec.own_values)
        try:
            require_depth(loaded.anatomy, deepest(spec))
            require_max_length(loaded.model, spec.max_length)
        except ModelError as error:
            raise ModelError(f"{ref.name}: {error}") from None
        summary.append(_facts(ref.name, loaded))
        weights = weights_digest(loaded.model, loaded.fresh)
        models.append(replace(ref, weights=weights, tokenizer=task.fingerprint(loaded.processor)))
    labels = task.output_size(targets)
    values = [
        recommended_in(spec.space, train_rows, labels, fact.parameters, fact.blocks) for fact in summary
    ]
    rates = [float(of[RATE]) for of in values]
    space = fit_domains(spec.space, min(fact.blocks for fact in summary), rates)
    space = with_recommended(space, values[0])
    return replace(spec, space=space, models=tuple(models)), tuple(summary)


def _facts(name: str, loaded: Pretrained) -> ModelSummary:
    depths: list[Depth] = [*range(len(loaded.anatomy.blocks) + 1), "all"]
    return ModelSummary(
        name=name,
        architecture=type(loaded.model).__name__,
        blocks=len(loaded.anatomy.blocks),
        block_kind=type(loaded.anatomy.blocks[0]).__name__,
        parameters=sum(parameter.numel() for parameter in loaded.model.parameters()),
        trained=describe_depths(loaded.model, loaded.anatomy, depths),
        token_limit=token_limit(loaded.model),
    )
