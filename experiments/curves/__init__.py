"""A table of real learning curves, recorded once, on which search strategies are compared (`simulate.py`)."""
