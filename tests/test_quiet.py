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


def test_a_log_that_finds_no_room_is_no_traceback_on_the_screen(tmp_path):
    done = subprocess.run([sys.executable, "-c", LOGS], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "it goes on\n", "")
