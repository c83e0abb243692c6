"""How often Python looks for garbage."""

import gc

from autoft.collector import rare_collections


def test_collections_are_rare_in_the_block_and_as_before_after_it() -> None:
    before = gc.get_threshold()
    with rare_collections():
        assert gc.isenabled()
        assert gc.get_threshold()[0] > before[0]
    assert gc.get_threshold() == before
