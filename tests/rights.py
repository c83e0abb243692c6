"""The rights of an ordinary user, for tests that run as root: to root nothing is forbidden."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

_VERSION = 0x20080522
"""Of Linux's capget and capset: three sets of 64 bits in two halves each."""
_OVERRIDE = 0b110
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, which let a process write and read everything."""


@contextmanager
def ordinary() -> Iterator[None]:
    """In the block this thread may only do what the permissions of a file say."""
    if os.getuid() != 0:
        yield
        return
    header = (ctypes.c_uint32 * 2)(_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.capget(header, sets) == 0
    effective = sets[0]
    try:
        sets[0] = effective & ~_OVERRIDE
        assert libc.capset(header, sets) == 0
        yield
    finally:
        sets[0] = effective
        assert libc.capset(header, sets) == 0
