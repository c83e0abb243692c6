"""Numbers of bytes, as they are written in a space.yaml and on the screen."""

UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def size_text(size: int) -> str:
    """A number of bytes for a reader; `scalars.size_bytes` is the way back.

    >>> size_text(1_530_000_000), size_text(20 * 10**9), size_text(512)
    ('1.5 GB', '20 GB', '512 bytes')
    """
    for unit, factor in reversed(UNITS.items()):
        if size >= factor:
            return f"{size / factor:.1f}".removesuffix(".0") + f" {unit}"
    return f"{size} bytes"
