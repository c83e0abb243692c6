"""How often Python looks for garbage."""

import gc

from autoft.collector import rare_collections


def test_collections_are_rare_in_the_block_and_as_before_after_it() -> None:
    before = gc.get_threshold()
    with rare_collections():
        assert gc.isenabled()
        assert gc.get_threshold()[0] > before[0]
    assert gc.get_threshold() == before
    gc.unfreeze()


def test_what_the_block_made_is_not_looked_at_again() -> None:
    with rare_collections():
        made = [[] for _ in range(10_000)]
    try:
        assert not any(one is made for one in gc.get_objects())
    finally:
        gc.unfreeze()
