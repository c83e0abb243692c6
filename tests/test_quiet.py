import subprocess
import sys

LOGS = """
import logging
from pathlib import Path
from autoft.quiet import log_to
log_to(Path("/dev/full"))
logging.getLogger("library").warning("something")
print("it goes on")
"""


def test_the_log_leaves_out_what_mlflow_says_of_the_license_of_every_model(tmp_path):
    said = """
import logging
from pathlib import Path
from autoft.quiet import log_to
log_to(Path("autoft.log"))
logger = logging.getLogger("mlflow.transformers")
logger.warning("Unable to find license information for this model. Please verify permissible usage")
logger.warning("something else")
"""
    subprocess.run([sys.executable, "-c", said], cwd=tmp_path, check=True)
    (line,) = (tmp_path / "autoft.log").read_text().splitlines()
    assert line.endswith("WARNING mlflow.transformers: something else")


def test_a_log_that_finds_no_room_is_no_traceback_on_the_screen(tmp_path):
    done = subprocess.run([sys.executable, "-c", LOGS], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "it goes on\n", "")
