"""A search in a process of its own, for tests that kill it or give it another cluster.

Run as `python -m driver`-like script: `python driver.py '{"folder": ..., "trials": ..., ...}'`. Prints the
runtime's scratch folder, and exits with 130 when it is interrupted, as the command line does.
"""

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from ray import cloudpickle

from autoft.spec.study import Resources
from autoft.study.identity import identity_of
from autoft.study.ray_tune.run import run
from autoft.study.ray_tune.runtime import ray_runtime
from autoft.study.storage import open_study

sys.path.insert(0, str(Path(__file__).parent))
scripted = importlib.import_module("scripted")


class NodeWorkbench(scripted.ScriptedWorkbench):
    """Measures 0.1 n, and as further metrics what this node sees of the driver."""

    def __init__(self, node: Any, request: dict[str, Any]) -> None:
        super().__init__(
            lambda number: [0.1 * number, 0.1 * number + 0.05], scripted.sleep(request["sleep_s"])
        )
        self._seen = {
            "sees_folder": float(Path(request["folder"], "study.db").exists()),
            "file_is_whole": float(node.locate(Path(request["file"])).read_text() == "rows"),
            "folder_is_whole": float((node.locate(Path(request["tree"])) / "a/b.txt").read_text() == "b"),
            "scratch_is_mine": float(os.stat(node.scratch(Path(request["folder"]))).st_uid == os.getuid()),
        }

    def fine_tune(self, config: Any, checkpoint: Path, resume: Any) -> Any:
        """The script, with what was seen."""
        for measured in super().fine_tune(config, checkpoint, resume):
            yield measured and scripted.replace(measured, metrics={**measured.metrics, **self._seen})


def main(request: dict[str, Any]) -> None:
    """Searches as `request` says."""
    folder = Path(request["folder"])
    cloudpickle.register_pickle_by_value(scripted)  # a node need not see the tests
    resources = Resources(max_concurrent=request["max_concurrent"], address=request.get("address"))
    spec = scripted.make_spec(trials=request["trials"], resources=resources)
    study = open_study(spec, folder, identity_of(spec, "digest"))
    files = [Path(request["file"]), Path(request["tree"])]
    try:
        with ray_runtime(resources, folder / "logs/ray.log") as runtime:
            print(runtime.scratch, flush=True)
            make = lambda node: NodeWorkbench(node, request)  # noqa: E731 - pickled by value, as a notebook's would be
            if run(study, spec, make, callbacks=[], folder=folder, runtime=runtime, files=files):
                sys.exit(130)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
