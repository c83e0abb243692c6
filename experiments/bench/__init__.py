"""The peers that autoft is measured against, and how: the rooms behind `experiments/bench_peers.py`."""
