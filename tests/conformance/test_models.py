"""What holds of every architecture with every task: blocks, freezing, stored states, pieces, dropout."""

import copy
from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
import pytest
import torch
import transformers as hf
from torch import nn

from autoft.data.batch import Batch, collate
from autoft.errors import ModelError
from autoft.kernel.batch_source import BatchSource
from autoft.kernel.blocks import Anatomy, find_blocks, trained_parameters
from autoft.kernel.boundary.inject import cut_states, cuts, injected, states_at
from autoft.kernel.boundary.plan import Cut
from autoft.kernel.boundary.valid import Sample, difference, padding_matters, refusal
from autoft.kernel.freeze import evaluation_mode, restore_dropout_places, set_depth
from autoft.kernel.memory import WorkingSizes
from autoft.kernel.pretrained import ModelSource, load_pretrained
from autoft.kernel.trial_context import TrialContext, add_gradients
from autoft.kernel.workbench import forward
from autoft.spec.hyperparameters import Depth

from ..kernel.tiny import config, tiny_tokenizer
from .architectures import TEXT, WITHOUT_A_TASK
from .cases import ALL, REFUSED, TASKS, Case, few

CPU = torch.device("cpu")
ANY = pytest.mark.parametrize("case", ALL, ids=str)
OF_A_TASK = pytest.mark.parametrize("case", TASKS, ids=str)
NOTICED = [
    case
    for case in TASKS
    if case.task_name in ("text-classification", "token-classification") and case.n_inputs == 1
]
"""Heads differ in what they read of a row. In rows as long as pairs ConvBERT's padding does not reach it."""
GRADIENT = 1e-5
"""Of a tensor's largest number: sums in another order differ in the last bits of float32."""


@cache
def built(case: Case) -> tuple[nn.Module, Batch, Anatomy]:
    model = case.model()
    restore_dropout_places(model)
    batch = (
        collate(case.encoded, few(case.encoded, 3))
        if case.task_name
        else Batch(case.wanted.inputs(model), {})
    )
    return model, batch, find_blocks(model, batch.inputs)


class Examined:
    """A model and what was found in it, on rows of its kind."""

    def __init__(self, case: Case) -> None:
        self.case, self.wanted = case, case.wanted
        self.model, self.batch, self.anatomy = copy.deepcopy(built(case))  # quicker than anew

    def depths(self) -> Iterator[Depth]:
        """Of one label for a text all that train something (a head that is the embeddings has nothing of its
        own); of the other tasks, which have the same blocks, one."""
        blocks = len(self.wanted.blocks)
        if self.case.task_name in ("", "text-classification") and self.case.n_inputs == 1:
            yield from range(0 if self.wanted.head else 1, blocks + 1)
            yield "all"
        else:
            yield min(1, blocks)

    def trained(self, depth: Depth) -> set[str]:
        """The names of the parameters that `depth` has to train."""
        wanted, names = self.wanted, [name for name, _ in self.model.named_parameters()]
        if depth == "all":
            return {name for name in names if not name.startswith(wanted.constants or "-")}
        top = tuple(f"{block}." for block in wanted.blocks[len(wanted.blocks) - depth :])
        lent = {name for name in names if any(part in name for part in wanted.shared)}
        return {name for name in names if name.startswith((*top, *wanted.head))} - lent

    def logits(self) -> torch.Tensor:
        logits: torch.Tensor = self.model(**self.batch.inputs).logits
        return logits

    def loss(self, logits: torch.Tensor) -> torch.Tensor:
        if self.case.task_name:
            return self.case.task.loss({"logits": logits}, self.batch, self.case.values)
        # Uneven weights, because the plain sum of some heads' logits is a constant.
        return (logits * torch.linspace(-1, 1, logits.numel()).view_as(logits)).sum()

    def gradients(self, logits: torch.Tensor, depth: Depth) -> list[torch.Tensor | None]:
        trained = list(trained_parameters(self.model, self.anatomy, depth).values())
        return list(torch.autograd.grad(self.loss(logits), trained, allow_unused=True))


def test_there_are_enough_of_them():
    assert len(TEXT) >= 20
    assert len(WITHOUT_A_TASK) >= 10
    assert len(TASKS) + len(REFUSED) == 5 * len(TEXT)


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_what_a_task_cannot_use_is_refused_with_the_reason(tmp_path, case):
    TEXT[case.name].build(hf.AutoModel).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=REFUSED[case]):
        load_pretrained(ModelSource("tiny", str(tmp_path)), case.rows.targets, case.task)


@ANY
def test_blocks_are_found_in_forward_order(case):
    assert Examined(case).anatomy.block_names == case.wanted.blocks


@ANY
def test_a_step_changes_exactly_what_its_depth_trains(case):
    one, idle = Examined(case), set(case.wanted.idle)
    for depth in one.depths():
        set_depth(one.model, one.anatomy, depth, dropout=0.1)
        trained = one.trained(depth)
        assert {key for key, value in one.model.named_parameters() if value.requires_grad} == trained
        before = {key: value.detach().clone() for key, value in one.model.named_parameters()}
        one.loss(one.logits()).backward()
        torch.optim.AdamW([p for p in one.model.parameters() if p.requires_grad], lr=0.01).step()
        changed = {key for key, value in one.model.named_parameters() if not torch.equal(value, before[key])}
        assert changed <= trained
        top = [f"{each}." for each in one.anatomy.block_names[-depth:]] if depth not in (0, "all") else []
        assert all(any(key.startswith(part) for key in changed) for part in {*top, *one.wanted.head} - idle)


def stored_at(one: Examined, depth: int) -> Cut | str:
    """The first cut at which states can be stored, or the reason why there is none."""
    reason = refusal(one.model, one.anatomy, depth)
    for cut in [] if reason else cuts(one.anatomy, depth):
        if one.case.task_name:
            rows = one.case.encoded.take(few(one.case.encoded, 3))
            sample = Sample(rows, one.case.task, one.case.values)
            reason = difference(one.model, one.anatomy, depth, sample, "all", cut)
        else:
            found = states_at(one.model, one.anatomy, cut, one.batch.inputs)
            alike = len({found[boundary].shape for boundary in cut}) == 1
            reason = None if alike else "rows of encoder and decoder differ"
        if reason is None:
            return cut
    return str(reason)


@ANY
def test_stored_states_change_no_bit_or_are_refused_with_the_reason(case):
    one = Examined(case)
    blocks, refused = len(one.anatomy.blocks), one.wanted.refused
    for depth in (each for each in one.depths() if each != "all" and each < blocks):
        cut = stored_at(one, depth)
        if depth in refused:
            assert refused[depth] in str(cut)
            continue
        assert isinstance(cut, tuple), cut
        set_depth(one.model, one.anatomy, depth, dropout=0.0)
        evaluation_mode(one.model)
        plain = one.logits()
        states = cut_states(states_at(one.model, one.anatomy, cut, one.batch.inputs), cut)
        with injected(one.model, one.anatomy, *cut) as cached_output:
            cached_output.states = states
            cached = one.logits()
        assert torch.equal(plain, cached)
        if not trained_parameters(one.model, one.anatomy, depth):
            continue
        for gradient, other in zip(one.gradients(plain, depth), one.gradients(cached, depth), strict=True):
            assert (gradient is None and other is None) or torch.equal(gradient, other)


@pytest.mark.parametrize("case", NOTICED, ids=str)
def test_a_model_that_reads_padding_is_noticed(case):
    sample = Sample(case.encoded.take(few(case.encoded, 6)), case.task, case.values)
    assert padding_matters(Examined(case).model, sample) == case.wanted.mixes_padding


@OF_A_TASK
def test_the_gradients_of_pieces_add_up_to_the_whole_batch_s(tmp_path, case):
    one, depth = Examined(case), 1
    set_depth(one.model, one.anatomy, depth, dropout=0.0)
    evaluation_mode(one.model)
    trained = trained_parameters(one.model, one.anatomy, depth)
    rows = few(case.encoded, 4)
    if case.wanted.mixes_padding:  # what pads less is computed otherwise
        rows = np.flatnonzero(case.encoded.lengths == np.bincount(case.encoded.lengths).argmax())[:4]
    source = BatchSource(case.encoded, np.arange(len(case.encoded)), CPU)

    def step(micro_batch: int, piece_tokens: float) -> tuple[float, dict[str, torch.Tensor]]:
        context = TrialContext(
            model=one.model,
            anatomy=one.anatomy,
            forward=lambda batch: forward(case.task, one.model, batch),
            task=case.task,
            targets=case.rows.targets,
            train=source,
            validation=source,
            device=CPU,
            checkpointed=dict,
            piece_tokens=piece_tokens,
            sizes=WorkingSizes(tmp_path / "sizes.json", "cpu"),
            rows_key="",
        )
        one.model.zero_grad()
        trial = config(task_values=case.values, max_grad_norm=0.0, unfreeze_depth=depth)
        loss = float(add_gradients(context, rows, micro_batch, trained, trial))
        return loss, {name: each.grad for name, each in trained.items() if each.grad is not None}

    whole, gradients = step(len(rows), piece_tokens=np.inf)
    largest = max(float(each.abs().max()) for each in gradients.values())
    for micro_batch, piece_tokens in ((len(rows), 0.0), (1, np.inf)):
        loss, found = step(micro_batch, piece_tokens)
        assert loss == pytest.approx(whole, rel=1e-5)
        for name, gradient in gradients.items():
            # A token of a mixture's expert may be alone in its piece: 0 where there is none.
            other = found.get(name, torch.zeros_like(gradient))
            assert (gradient - other).abs().max() <= GRADIENT * largest


def outputs(one: Examined, seed: int) -> list[torch.Tensor]:
    """What each block returned, and the logits."""
    found: dict[nn.Module, torch.Tensor] = {}

    def keep(module: nn.Module, args: object, output: torch.Tensor | Sequence[torch.Tensor]) -> None:
        found[module] = (output if isinstance(output, torch.Tensor) else output[0]).detach()

    handles = [block.register_forward_hook(keep) for block in one.anatomy.blocks]
    torch.manual_seed(seed)
    with torch.no_grad():
        logits = one.logits()
    for handle in handles:
        handle.remove()
    return [*(found[block] for block in one.anatomy.blocks), logits]


def vary(one: Examined) -> list[bool]:
    """Whether the outputs of each block, and the logits, are others with other random numbers."""
    pairs = zip(outputs(one, 1), outputs(one, 2), strict=True)
    return [not torch.equal(first, second) for first, second in pairs]


@ANY
def test_dropout_reaches_the_trained_blocks_and_the_head_and_no_frozen_block(case):
    one = Examined(case)
    blocks = len(one.anatomy.blocks)
    for depth in one.depths():
        set_depth(one.model, one.anatomy, depth, dropout=0.0)
        assert not any(vary(one))
        set_depth(one.model, one.anatomy, depth, dropout=0.5)
        trained = blocks if depth == "all" else depth
        drops = one.wanted.drops and trained > 0
        assert vary(one) == [
            *[False] * (blocks - trained),
            *[one.wanted.drops] * trained,
            drops or one.wanted.head_drops,
        ]
