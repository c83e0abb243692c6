"""Python's collector of cyclic garbage, kept from walking over what stays."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def rare_collections() -> Iterator[None]:
    """For imports: collect every 100,000 new objects instead of every 700.

    torch, transformers and what comes with them are 600,000 objects that live as long as the process. With
    Python's own thresholds a fifth of the time of their import is the collector, walking over them again and
    again; with the collector off, a third of a million objects more would stay in memory.
    """
    before = gc.get_threshold()
    gc.set_threshold(100_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
