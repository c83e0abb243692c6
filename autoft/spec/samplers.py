"""The samplers: how the parameters of the next trial are proposed."""

from collections.abc import Mapping

from autoft.spec.methods import Method, Option, by_name

_STARTUP = Option("n_startup_trials", 10, 0, "trials drawn at random before the sampler learns from results")

SAMPLERS: Mapping[str, Method] = by_name(
    Method("tpe", "proposes where good trials are dense (tree-structured Parzen estimator)", (_STARTUP,)),
    Method("random", "draws every trial anew; learns nothing, a baseline"),
    Method("gp", "fits a Gaussian process; for few parameters and expensive trials", (_STARTUP,)),
    Method("qmc", "a quasi-random sequence that covers the space evenly; learns nothing"),
)
"""By name."""
