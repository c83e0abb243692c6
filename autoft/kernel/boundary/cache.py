"""The node's cache of boundary states: found, or filled by one worker while the others wait."""

import json
import logging
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import torch
import transformers

from autoft.data.encoded import Encoded
from autoft.data.files import hasher, locked
from autoft.kernel.boundary import store
from autoft.kernel.boundary.fill import fill
from autoft.kernel.boundary.plan import VECTORS, Boundary, CachePlan
from autoft.kernel.boundary.states import States, positions
from autoft.kernel.device import Precision, free_gpu_memory
from autoft.kernel.resident import Resident

DEVICE_SHARE = 0.5
"""Of a GPU's free memory that one boundary's states may take; larger ones stay in the host's files."""

_log = logging.getLogger(__name__)


class BoundaryCache:
    """Gives the states at a boundary, out of the node's files."""

    def __init__(self, folder: Path, plan: CachePlan) -> None:
        self.folder, self.plan, self._dtype = folder, plan, store.DTYPES[plan.dtype]

    def states(
        self, resident: Resident, encoded: Encoded, wanted: Boundary, rows_key: str, precision: Precision
    ) -> States:
        """The states of all rows at `wanted`, a boundary of the plan.

        Args:
            resident: the model, just renewed.
            encoded: the rows.
            wanted: one of the plan's.
            rows_key: names the rows, as they are encoded.
            precision: of the study.
        """
        files = _CacheFiles(self.folder, _device(resident), self._key(resident, wanted, rows_key, precision))
        flat = self._read(files, wanted, encoded)
        if flat is None:
            with locked(files.lock):
                flat = self._read(files, wanted, encoded)
                if flat is None:
                    flat = self._fill(resident, encoded, files, wanted, precision)
        placed = _placed(flat, resident.model.device)
        return _states(placed, wanted, encoded, resident)

    def _key(self, resident: Resident, wanted: Boundary, rows_key: str, precision: Precision) -> str:
        """Everything that decides the bits of the states, but for the boundary.

        The other boundaries do too: on the way to a higher one, states are rounded at each.
        """
        parts = [
            "autoft states 3",
            resident.pretrained_digest,
            rows_key,
            [precision, self.plan.dtype, self.plan.fill_tokens],
            [[each.cut, each.layout] for each in self.plan.of(wanted.model, wanted.max_length)],
            resident.model.config._attn_implementation,
            _device(resident),
            [torch.__version__, transformers.__version__],
        ]
        key = hasher()
        key.update(json.dumps(parts).encode())
        return key.hexdigest()

    def _read(self, files: "_CacheFiles", boundary: Boundary, encoded: Encoded) -> torch.Tensor | None:
        return store.read(files.file(boundary), _shape(boundary, encoded), self._dtype)

    def _fill(
        self,
        resident: Resident,
        encoded: Encoded,
        files: "_CacheFiles",
        wanted: Boundary,
        precision: Precision,
    ) -> torch.Tensor:
        """Fills what is missing of this model and length, all in one pass over the rows."""
        planned = self.plan.of(wanted.model, wanted.max_length)
        found = {each: self._read(files, each, encoded) for each in planned}
        missing = [each for each, flat in found.items() if flat is None]
        for each in missing:
            files.drop_leftovers(each)
            if files.file(each).exists():
                _log.warning("%s: the file is damaged; it is computed again", files.file(each).name)
        base = _base(found, min(each.cut[0] for each in missing), encoded, resident)

        def run(targets: Mapping[int, torch.Tensor]) -> None:
            model, anatomy = resident.model, resident.anatomy
            fill(model, anatomy, encoded, self.plan, planned, targets, base, precision)

        try:
            with ExitStack() as stack:
                run(
                    {
                        each.boundary: stack.enter_context(
                            store.writing(files.file(each), _shape(each, encoded), self._dtype)
                        )
                        for each in missing
                    }
                )
        except OSError as error:
            _log.warning("%s: no room for hidden states (%s); they are kept in memory", self.folder, error)
            memory = torch.empty(_shape(wanted, encoded), dtype=self._dtype)
            run({wanted.boundary: memory})
            return memory
        for each in missing:
            files.drop_others(each)
        flat = self._read(files, wanted, encoded)
        if flat is None:
            raise OSError(f"{files.file(wanted)}: cannot be read right after it was written")
        return flat


class _CacheFiles:
    """Where the states lie: files named by boundary and key."""

    def __init__(self, folder: Path, device: str, key: str) -> None:
        self._folder, self._device, self._key = folder, device, key

    @property
    def lock(self) -> Path:
        """One worker fills for all boundaries."""
        return self._folder / f"states-{self._key}"

    def file(self, boundary: Boundary) -> Path:
        return self._folder / f"{self._prefix(boundary)}-{self._key}.states"

    def drop_leftovers(self, boundary: Boundary) -> None:
        """Removes what fills that were killed have left; for who holds the lock, so that none is at work."""
        for path in self._folder.glob(f".{self.file(boundary).name}.*"):
            path.unlink(missing_ok=True)

    def drop_others(self, boundary: Boundary) -> None:
        """Removes what the same boundary held for other rows, weights or versions: nobody will read it.

        What another kind of device has filled is left: its workers may be at work beside this one.
        """
        for path in self._folder.glob(f"{self._prefix(boundary)}-*.states"):
            if path != self.file(boundary):
                path.unlink(missing_ok=True)

    def _prefix(self, boundary: Boundary) -> str:
        digest = hasher()
        digest.update(f"{boundary.model} {self._device}".encode())
        length = boundary.max_length or "uncut"
        return f"states-{digest.hexdigest()[:8]}-{length}-{boundary.boundary}-{boundary.layout}"


def _shape(boundary: Boundary, encoded: Encoded) -> tuple[int, ...]:
    return int(positions(encoded.lengths, boundary.layout)[-1]), *boundary.shape


def _states(flat: torch.Tensor, boundary: Boundary, encoded: Encoded, resident: Resident) -> States:
    offsets = positions(encoded.lengths, boundary.layout)
    return States(flat, boundary.layout, offsets, resident.model.main_input_name)


def _base(
    found: Mapping[Boundary, torch.Tensor | None], lowest: int, encoded: Encoded, resident: Resident
) -> tuple[int, States] | None:
    """The nearest stored boundary below `lowest` with whole rows, and in an encoder."""
    for each, flat in reversed(list(found.items())):
        usable = each.boundary < lowest and each.encoder is None and each.layout not in VECTORS
        if flat is not None and usable:
            return each.boundary, _states(flat, each, encoded, resident)
    return None


def _device(resident: Resident) -> str:
    """The kind of device, as far as it decides bits."""
    device = resident.model.device
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type}, {torch.get_num_threads()} threads"


def _placed(flat: torch.Tensor, device: torch.device) -> torch.Tensor:
    """On the GPU where they fit well, else mapped from their file."""
    if device.type != "cuda" or flat.nbytes > DEVICE_SHARE * free_gpu_memory(device):
        return flat
    return flat.to(device)
