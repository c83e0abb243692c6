"""Keeps libraries from sending telemetry and from writing to the screen.

Most libraries read these switches when they are imported, so `autoft` sets them before that; worker
processes inherit them. What libraries log goes to a file of the study instead (`log_to`).
"""

import logging
import os
import warnings
from pathlib import Path

SWITCHES = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",  # workers share the cores already
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
    "GIT_PYTHON_REFRESH": "quiet",
}


NEEDLESS = "Unable to find license information for this model"
"""MLflow warns so about every model without a card from the hub, which includes every trained one."""


def set_switches() -> None:
    """Turns telemetry, progress bars and chatter off for this process and its children."""
    os.environ.update(SWITCHES)


def log_to(path: Path) -> None:
    """Sends log messages and warnings of libraries to `path`, and keeps them off the screen."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, logging.FileHandler) and getattr(handler, "autoft", False):
            root.removeHandler(handler)
            handler.close()
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.raiseExceptions = False  # the search reports a full disk, not the log
    handler.addFilter(lambda record: not record.getMessage().startswith(NEEDLESS))
    handler.autoft = True  # type: ignore[attr-defined]  # ours, so that a second study in this process replaces it
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    warnings.simplefilter("default")
    for name in list(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        for own in list(logger.handlers):
            if isinstance(own, logging.StreamHandler) and not isinstance(own, logging.FileHandler):
                logger.removeHandler(own)
                logger.propagate = True
