"""Hidden states in files: raw numbers behind a short header, mapped into memory, whole or absent.

Every reader checks length and checksum before it trusts a file, so that one that is cut short, damaged or
from a write that was killed counts as absent.
"""

import json
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from autoft.data.files import replacing

HEADER_BYTES = 4096
"""JSON, filled up with spaces; a page, so that the numbers behind it are aligned."""
_CHECKED_BYTES = 1 << 22
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
"""By what a `CachePlan` calls them."""


@contextmanager
def writing(path: Path, shape: Sequence[int], dtype: torch.dtype) -> Iterator[torch.Tensor]:
    """A mapped tensor to fill; at the end of the block it takes its place at `path`, or vanishes on an error.

    Raises:
        OSError: the disk has no room for all of it; nothing is left behind.
    """
    with replacing(path) as temporary:
        size = HEADER_BYTES + _bytes(shape, dtype)
        with temporary.open("r+b") as file:
            # Room is taken before anything is mapped: a full disk would kill the process at a page's write.
            os.posix_fallocate(file.fileno(), 0, size)
        numbers = np.memmap(temporary, np.uint8, "r+", offset=HEADER_BYTES, shape=(size - HEADER_BYTES,))
        yield _tensor(numbers, shape, dtype)
        numbers.flush()
        header = {"shape": list(shape), "dtype": str(dtype), "checksum": _checksum(numbers)}
        with temporary.open("r+b") as file:
            file.write(json.dumps(header).encode().ljust(HEADER_BYTES))


def read(path: Path, shape: Sequence[int], dtype: torch.dtype) -> torch.Tensor | None:
    """The states at `path`, mapped, or None where no whole file of that shape and type is there."""
    try:
        with path.open("rb") as file:
            header = json.loads(file.read(HEADER_BYTES))
            size = os.fstat(file.fileno()).st_size
        if size != HEADER_BYTES + _bytes(shape, dtype):
            return None
        # Copy on write, because torch has no tensors that cannot be written to; nobody writes.
        numbers = np.memmap(path, np.uint8, "c", offset=HEADER_BYTES, shape=(size - HEADER_BYTES,))
        expected = {"shape": list(shape), "dtype": str(dtype), "checksum": _checksum(numbers)}
    except (OSError, ValueError):
        return None
    return _tensor(numbers, shape, dtype) if header == expected else None


def _bytes(shape: Sequence[int], dtype: torch.dtype) -> int:
    return int(np.prod(shape, dtype=np.int64)) * dtype.itemsize


def _tensor(numbers: np.ndarray, shape: Sequence[int], dtype: torch.dtype) -> torch.Tensor:
    return torch.from_numpy(numbers).view(dtype).view(*shape)


def _checksum(numbers: np.ndarray) -> int:
    """CRC-32: against accidents, and several times faster than a hash."""
    checksum = 0
    for start in range(0, len(numbers), _CHECKED_BYTES):
        checksum = zlib.crc32(numbers[start : start + _CHECKED_BYTES].data, checksum)
    return checksum
