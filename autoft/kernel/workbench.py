"""The workbench: what stays in a process between trials, and the one way to run a trial."""

import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from transformers import PreTrainedModel

from autoft.data.batch import Batch, to_grid, to_longest
from autoft.data.encoded import Encoded, Ragged, taken
from autoft.data.targets import Targets
from autoft.kernel import loop
from autoft.kernel.batch_source import BatchSource
from autoft.kernel.blocks import trained_parameters
from autoft.kernel.boundary.cache import BoundaryCache
from autoft.kernel.boundary.head import call_in_turn, find_chain
from autoft.kernel.boundary.inject import CachedOutput, injected
from autoft.kernel.boundary.plan import Boundary, CachePlan, Cut
from autoft.kernel.checkpoint import CheckpointWriter, load_checkpoint
from autoft.kernel.config import FineTuneConfig
from autoft.kernel.device import PIECE_TOKENS, choose_device, device_name, prepare_process
from autoft.kernel.features import frozen_features
from autoft.kernel.freeze import trained_statistics
from autoft.kernel.graph_store import GraphStore
from autoft.kernel.initialize import derive_seed, set_output_bias
from autoft.kernel.measurement import Measurement
from autoft.kernel.memory import OutOfMemory, WorkingSizes, is_out_of_memory
from autoft.kernel.optimizer import learning_rate
from autoft.kernel.pretrained import ModelSource, load_pretrained, require_max_length
from autoft.kernel.resident import Resident, checkpointed_tensors
from autoft.kernel.resume import Resume
from autoft.kernel.step import Step
from autoft.kernel.steps import batches, plan
from autoft.kernel.study_inputs import StudyInputs
from autoft.kernel.top_block import first_token_only
from autoft.kernel.trial_context import TrialContext
from autoft.kernel.vocabulary import occurring_tokens_only
from autoft.spec.space import Value
from autoft.tasks.outputs import outputs_of
from autoft.tasks.protocol import Outputs, Task

WORKING_SIZES = "working-sizes.json"
"""In the cache folder of a node: what micro-batches fitted."""


class Workbench:
    """Runs one trial after the other in this process; what it keeps changes no result.

    One model is resident at a time: several would share one device's memory.
    """

    def __init__(self, study_inputs: StudyInputs) -> None:
        self.study_inputs = study_inputs
        self.device = choose_device()
        prepare_process(self.device, study_inputs.cpus, study_inputs.gpu_share)
        self._resident: tuple[str, Resident] | None = None
        self._encoded: dict[tuple[str, tuple[Value, ...]], tuple[str, Encoded]] = {}
        self._splits = study_inputs.splits()
        self._writer = CheckpointWriter()
        self._states = BoundaryCache(study_inputs.cache, study_inputs.cache_plan)
        self._fed: tuple[tuple[str, Boundary | None], dict[str, BatchSource]] | None = None

    def fine_tune(
        self, config: FineTuneConfig, checkpoint: Path, resume: Resume | None = None
    ) -> Generator[Measurement | None]:
        """Fine-tune by `config` and yield a measurement at every evaluation, and None now and then.

        Closing the iterator ends the trial; nothing has to be cleaned up. One trial at a time. The checkpoint
        that a measurement announces is there when the trial has ended, by its last measurement or closed.

        Args:
            config: the trial.
            checkpoint: where its best model goes, as safetensors; written when the objective improves.
            resume: the files of its resume state; None saves none.

        Raises:
            ModelError: the model cannot be loaded, or lacks the depth or the length.
            Diverged: the loss is no longer finite, or has grown without measure.
            OutOfMemory: not even one row at a time fits.
        """
        try:
            yield from self._fine_tune(config, checkpoint, resume)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise OutOfMemory(f"out of memory before the first step: {error}") from error

    def _fine_tune(
        self, config: FineTuneConfig, checkpoint: Path, resume: Resume | None
    ) -> Generator[Measurement | None]:
        began_s = time.monotonic()
        with self._context(config) as context:
            try:
                yield from loop.run(context, config, checkpoint, self._writer, began_s, resume)
            finally:
                self._writer.settle()

    def first_steps(
        self, config: FineTuneConfig, count: int
    ) -> tuple[list[float], Mapping[str, torch.Tensor]]:
        """The losses of a trial's first `count` steps, and the trained parameters after them, by name."""
        with self._context(config) as context:
            trained = trained_parameters(context.model, context.anatomy, config.unfreeze_depth)
            step = Step(context, config, trained, config.batch_size)
            lengths = context.train.lengths
            steps = plan(len(lengths), config).steps
            torch.manual_seed(derive_seed(config.seed, 1))
            losses = [
                step.take(number, learning_rate(number, steps, config), rows)
                for number, rows in enumerate(islice(batches(lengths, config, 0), count), start=1)
            ]
            return torch.stack(losses).tolist(), {
                name: parameter.detach().clone() for name, parameter in trained.items()
            }

    @property
    def not_captured(self) -> list[str]:
        """Why steps of the last trial's model could not be captured, where that was tried."""
        return [] if self._resident is None else self._resident[1].not_captured

    @contextmanager
    def _context(self, config: FineTuneConfig) -> Iterator[TrialContext]:
        """What the trial runs with; the model is as new, in training mode, and frozen to its depth."""
        resident = self._load(config.model)
        rows_key, encoded = self._encode(config, resident)
        resident.renew(config)
        self._begin_output(resident, encoded)
        batch_sources, cut = self._batch_sources(config, resident)
        graphs = self._graphs(config, resident)
        with self._shortened(config, resident, batch_sources["validation"], cut) as (
            forward,
            checkpointed,
        ):
            yield TrialContext(
                model=resident.model,
                anatomy=resident.anatomy,
                forward=forward,
                task=self.study_inputs.task,
                targets=self.study_inputs.targets,
                train=batch_sources["train"],
                validation=batch_sources["validation"],
                device=self.device,
                checkpointed=checkpointed,
                piece_tokens=self._piece_tokens(config, resident),
                sizes=WorkingSizes(self.study_inputs.cache / WORKING_SIZES, device_name(self.device)),
                rows_key=rows_key,
                padding=to_longest if graphs is None else partial(to_grid, most=int(encoded.lengths.max())),
                graphs=graphs,
            )

    def _graphs(self, config: FineTuneConfig, resident: Resident) -> GraphStore | None:
        """Where this trial's steps are captured; None where they are eager."""
        if config.model not in self._plan(config).graphs:
            return None
        if config.optimizer != "adamw":
            print(f"This trial's steps are run eagerly: that of {config.optimizer} cannot be captured.")
            return None
        own = self.study_inputs.task.spec.own
        return resident.graphs([each.name for each in own if each.kind == "float"])

    def frozen_features(self, config: FineTuneConfig, encoded: Encoded) -> np.ndarray:
        """What the pretrained model makes of n rows; see `kernel.features`.

        Stored states are not used: where they are missing, they would be computed for all rows of the study.
        """
        resident = self._load(config.model)
        resident.renew(config)
        source = BatchSource(encoded, np.arange(len(encoded)), self.device)
        return frozen_features(resident.model, source, self.study_inputs.task, config.precision)

    def encoded(self, config: FineTuneConfig) -> Encoded:
        """All rows as a trial's model takes them. Raises ModelError as `fine_tune`."""
        return self._encode(config, self._load(config.model))[1]

    def encode(self, config: FineTuneConfig, rows: pa.Table) -> Encoded:
        """Rows that are not the study's (columns of rows.arrow) as a trial's model takes them."""
        inputs, processor = self.study_inputs, self._load(config.model).processor
        return inputs.task.encode(rows, processor, inputs.targets, self._task_values(config))

    def _piece_tokens(self, config: FineTuneConfig, resident: Resident) -> float:
        """See `TrialContext.piece_tokens`.

        BatchNorm takes its statistics from the batch, which then has to be whole. So it has where the model
        reads padding, of which pieces have less. And each piece would add up a gradient as large as the whole
        vocabulary, where that is not narrowed to the tokens that occur.
        """
        depth, plan = config.unfreeze_depth, self._plan(config)
        narrowed = _trains_occurring_tokens_only(config) and config.model in plan.tables
        vocabulary = depth == "all" and not narrowed
        mixing = config.model in plan.mixing_padding
        if vocabulary or mixing or trained_statistics(resident.model, resident.anatomy, depth):
            return math.inf
        return PIECE_TOKENS[self.device.type]

    @contextmanager
    def _shortened(
        self, config: FineTuneConfig, resident: Resident, batch_source: BatchSource, cut: Cut | None
    ) -> Iterator[tuple[Callable[[Batch], Outputs], Callable[[], Mapping[str, torch.Tensor]]]]:
        """The model as this trial runs it, without what no result depends on.

        Gives two functions: from a batch to outputs, and to what a checkpoint holds.
        """
        model, anatomy, plan = resident.model, resident.anatomy, self._plan(config)
        task = self.study_inputs.task
        tensors = checkpointed_tensors(resident, config.unfreeze_depth)
        cached_output = chain = occurring = None
        table = plan.tables.get(config.model) if _trains_occurring_tokens_only(config) else None
        with ExitStack() as stack:
            if cut is not None:
                cached_output = stack.enter_context(injected(model, anatomy, *cut))
            if cached_output is not None and cut == (len(anatomy.blocks),):
                chain = find_chain(
                    task,
                    model,
                    anatomy,
                    cached_output,
                    batch_source.batch(np.arange(min(2, len(batch_source)))),
                )
            elif part := plan.first_token.get(config.model):
                stack.enter_context(first_token_only(model, part))
            if table is not None:
                rows_key, encoded = self._encode(config, resident)
                ids = encoded.inputs["input_ids"]
                assert isinstance(ids, Ragged)
                occurring = resident.occurring(table, ids, rows_key)
                stack.enter_context(occurring_tokens_only(model, table, occurring))

            def outputs(batch: Batch) -> Outputs:
                if chain and batch.states is not None:
                    (only,) = task.output_fields
                    return {only: call_in_turn(chain, batch.states)}
                return forward(task, model, batch, cached_output)

            def checkpointed() -> Mapping[str, torch.Tensor]:
                return {**tensors, **occurring.narrowed(table)} if occurring and table else tensors

            yield outputs, checkpointed

    def _batch_sources(
        self, config: FineTuneConfig, resident: Resident
    ) -> tuple[dict[str, BatchSource], Cut | None]:
        """The splits' rows, and the boundaries at which their states are stored, if they are."""
        rows_key, encoded = self._encode(config, resident)
        frozen = len(resident.anatomy.frozen_blocks(config.unfreeze_depth))
        wanted = self._plan(config).read(config.model, self._length(config), frozen)
        key = rows_key, wanted
        if self._fed is None or self._fed[0] != key:
            self._fed = None  # its states may lie where this trial needs the room
            states = None
            if wanted is not None:
                states = self._states.states(resident, encoded, wanted, rows_key, config.precision)
            sources = {
                split: BatchSource(encoded, rows, self.device, states) for split, rows in self._splits.items()
            }
            self._fed = key, sources
        for batch_source in self._fed[1].values():
            batch_source.renew()
        return self._fed[1], None if wanted is None else wanted.cut

    def _load(self, name: str) -> Resident:
        if self._resident is None or self._resident[0] != name:
            self._resident = None  # make room before the next one comes
            self._resident = name, Resident(self.study_inputs.load(name), self.device)
        return self._resident[1]

    def _begin_output(self, resident: Resident, encoded: Encoded) -> None:
        """See `Task.output_bias`."""
        train = self._splits["train"]
        targets = {name: taken(each, train) for name, each in encoded.targets.items()}
        bias = self.study_inputs.task.output_bias(targets)
        if bias is not None:
            set_output_bias(resident.model, resident.fresh, bias)

    def _length(self, config: FineTuneConfig) -> int | None:
        asked = self.study_inputs.task.spec.max_length(config.task_values)
        return self._plan(config).length(config.model, asked)

    def _plan(self, config: FineTuneConfig) -> CachePlan:
        """What of the study's holds for this trial's rows."""
        return self.study_inputs.cache_plan.at(config.task_values)

    def _task_values(self, config: FineTuneConfig) -> Mapping[str, Value]:
        return self.study_inputs.task.spec.cut_at(config.task_values, self._length(config))

    def _encode(self, config: FineTuneConfig, resident: Resident) -> tuple[str, Encoded]:
        """The rows in numbers, and the key that names them."""
        task, values = self.study_inputs.task.spec, self._task_values(config)
        key = config.model, tuple(values[each.name] for each in task.own if each.encoding)
        if key not in self._encoded:
            require_max_length(resident.model, task.max_length(config.task_values))
            self._encoded[key] = self.study_inputs.encoded(resident.processor, values)
        return self._encoded[key]


def _trains_occurring_tokens_only(config: FineTuneConfig) -> bool:
    """What happens to the embeddings of other tokens is known of AdamW alone: weight decay."""
    return config.unfreeze_depth == "all" and config.optimizer == "adamw"


def forward(
    task: Task, model: PreTrainedModel, batch: Batch, cached_output: CachedOutput | None = None
) -> Outputs:
    """What the task reads of the answer to a batch, whose states, if any, go to `cached_output`."""
    if cached_output is not None:
        cached_output.states = batch.states
    return outputs_of(task, model, batch.inputs)


def rebuild(
    source: ModelSource,
    config: FineTuneConfig,
    targets: Targets,
    checkpoint: Path,
    task: Task,
    measurement: int | None = None,
    rows: pa.Table | None = None,
) -> tuple[PreTrainedModel, Any]:
    """A trial's model and its processor, from the pretrained weights and the trial's checkpoint.

    `measurement` is the index of the one whose model the checkpoint has to hold; None takes any. `rows` are
    the study's, see `load_pretrained`.

    In evaluation mode, float32, on the CPU. A tokenizer knows the trial's max_length.

    Raises:
        ModelError: the model cannot be loaded, or the checkpoint is missing, damaged or of another trial.
    """
    loaded = load_pretrained(source, targets, task, rows, config.task_values)
    load_checkpoint(checkpoint, checkpointed_tensors(loaded, config.unfreeze_depth), measurement)
    if (max_length := task.spec.max_length(config.task_values)) is not None:
        loaded.processor.model_max_length = max_length
    return loaded.model, loaded.processor
