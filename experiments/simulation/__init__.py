"""Search strategies on virtual time: the rooms behind `experiments/simulate.py`."""
