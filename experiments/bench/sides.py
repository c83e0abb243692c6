"""Every side of the benchmark by name, and the process that one run of it is.

    python -m bench.sides NAME JOB RESULT

reads the pickled `Job` from the file JOB, trains, and writes the trials' figures as JSON to RESULT.
"""

import json
import pickle
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

AUTOFT = "autoft"
HANDWRITTEN = "handwritten"

# As text: a side's process imports what that side needs and no more, for imports are on the clock.
_HOMES = {
    AUTOFT: "bench.autoft_side:run_autoft",
    "hf-ray": "bench.hf_trainer:hf_ray",
    "hf-ray-tuned": "bench.hf_trainer:hf_ray_tuned",
    "hf-optuna-tuned": "bench.hf_optuna:hf_optuna_tuned",
    HANDWRITTEN: "bench.handwritten:handwritten",
    "handwritten-random": "bench.handwritten:handwritten_random",
}
PEERS = tuple(name for name in _HOMES if name != AUTOFT)


def find_side(name: str) -> Callable[..., list[dict[str, float]]]:
    """The function of a side: from a `Job` to the figures of each of its configurations, in their order."""
    module, function = _HOMES[name].split(":")
    side: Callable[..., list[dict[str, float]]] = getattr(import_module(module), function)
    return side


def main() -> None:
    """Run one side."""
    name, job, result = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    trials = find_side(name)(pickle.loads(job.read_bytes()))
    result.write_text(json.dumps(trials))


if __name__ == "__main__":
    main()
