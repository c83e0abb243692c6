"""A pretrained model that stays in memory and stands as new before each trial."""

from collections.abc import Sequence

import torch

from autoft.data.encoded import Ragged
from autoft.data.files import hasher
from autoft.kernel.blocks import trained_parameters
from autoft.kernel.config import FineTuneConfig
from autoft.kernel.freeze import set_depth, trained_statistics
from autoft.kernel.graph_store import GraphStore
from autoft.kernel.initialize import initialize
from autoft.kernel.pretrained import Pretrained, weights_digest
from autoft.kernel.vocabulary import Occurring, occurring_tokens
from autoft.spec.hyperparameters import Depth


class Resident:
    """Keeps a copy of what trials change, made when it is first about to change."""

    def __init__(self, pretrained: Pretrained, device: torch.device) -> None:
        self.model = pretrained.model.to(device)  # type: ignore[arg-type]
        self.processor = pretrained.processor
        self.anatomy = pretrained.anatomy
        self.fresh = pretrained.fresh
        self._pristine: dict[str, torch.Tensor] = {}
        self._touched: frozenset[str] = frozenset()
        self._occurring: tuple[tuple[str, str], Occurring] | None = None
        self._graphs: GraphStore | None = None
        self._config = pretrained.model.config.to_json_string(use_diff=False)  # trials set its dropouts
        self._digest: str | None = None
        # Buffers are few and small, and an architecture may change them in any forward pass.
        self._buffers = {name: buffer.detach().clone() for name, buffer in self.model.named_buffers()}

    def renew(self, config: FineTuneConfig) -> None:
        """Give back the pretrained weights, draw the fresh ones, and freeze to the trial's depth.

        Raises:
            ModelError: the model has fewer blocks than the depth.
        """
        trained = trained_parameters(self.model, self.anatomy, config.unfreeze_depth)
        self._restore()
        self._touched = frozenset(trained)
        for name, parameter in trained.items():
            if name not in self._pristine and name not in self.fresh:
                self._pristine[name] = parameter.detach().to("cpu", copy=True)
        initialize(self.model, self.fresh, config.seed)
        set_depth(self.model, self.anatomy, config.unfreeze_depth, config.dropout)

    def occurring(self, table: str, ids: Ragged, rows_key: str) -> Occurring:
        """What stands for a table (`vocabulary`) in trials on these rows; one module, as new for each."""
        if self._occurring is None or self._occurring[0] != (table, rows_key):
            if self._occurring is not None and self._graphs is not None:
                self._graphs.forget(self._occurring[1].weight)
            self._occurring = (table, rows_key), occurring_tokens(self.model, table, ids)
        self._occurring[1].renew()
        return self._occurring[1]

    def graphs(self, own: Sequence[str]) -> GraphStore:
        """Where captured steps are kept; `own` as `StepNumbers` has it, always the same."""
        if self._graphs is None:
            # Decayed and not: the head, each block, and what lies below.
            self._graphs = GraphStore(self.model, 2 * (len(self.anatomy.blocks) + 2), own)
        self._graphs.begin_trial()
        return self._graphs

    @property
    def not_captured(self) -> list[str]:
        """Why some steps could not be captured."""
        return [] if self._graphs is None else list(self._graphs.refused.values())

    @property
    def pretrained_digest(self) -> str:
        """32 hex digits of architecture and pretrained weights. Ask while the model is as `renew` left it."""
        if self._digest is None:
            digest, weights = hasher(), weights_digest(self.model, self.fresh)
            digest.update(f"{type(self.model).__name__} {self._config} {weights}".encode())
            self._digest = digest.hexdigest()
        return self._digest

    @torch.no_grad()
    def _restore(self) -> None:
        for name, parameter in self.model.named_parameters():
            parameter.grad = None  # a trial that was closed between two steps may have left one
            if name in self._touched and name in self._pristine:
                parameter.copy_(self._pristine[name])
        for name, buffer in self.model.named_buffers():
            buffer.copy_(self._buffers[name])


def checkpointed_tensors(pretrained: Pretrained | Resident, depth: Depth) -> dict[str, torch.Tensor]:
    """The model's own tensors, by name, that a trial of `depth` changes or draws.

    With the pretrained weights they make the trial's model: trained and fresh parameters, and the moving
    statistics of trained BatchNorm.
    """
    model, anatomy = pretrained.model, pretrained.anatomy
    parameters = dict(model.named_parameters())
    return {
        **trained_parameters(model, anatomy, depth),
        **{name: parameters[name] for name in pretrained.fresh},
        **trained_statistics(model, anatomy, depth),
    }
