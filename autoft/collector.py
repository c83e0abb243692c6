"""Keeps Python's garbage collector from walking over objects that stay."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def rare_collections() -> Iterator[None]:
    """Collects every 100,000 new objects instead of every 700; for imports.

    torch, transformers and what comes with them are 600,000 objects that live as long as the process. With
    Python's own thresholds the collector takes a fifth of their import time, because it walks over them again
    and again; with the collector off, a third of a million more objects would stay in memory.
    """
    before = gc.get_threshold()
    gc.set_threshold(100_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
