"""The end of stored states. Apart from the cache, so that it needs no torch."""

from pathlib import Path


def drop_finished_states(folder: Path) -> None:
    """Removes stored states while trials may be filling others; who has them mapped keeps them."""
    for path in folder.glob("states-*.states"):
        path.unlink(missing_ok=True)


def drop_states(folder: Path) -> None:
    """Removes all stored states; a study that goes on fills them anew, to the same bits."""
    for path in (*folder.glob("states-*.states"), *folder.glob(".states-*")):  # locks and leftovers
        path.unlink(missing_ok=True)
