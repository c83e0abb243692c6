"""A disk that is really full: the search says so, and goes on when there is room."""

import subprocess
import sys

import pytest

from autoft.study.records import read_trials
from autoft.study.storage import find_study

from .main_job import search_words

ROOM_MB = 16
"""Enough to begin with: the databases and the first checkpoint fit, a trial's resume state does not."""
SCRIPT = """
mount -t tmpfs -o size=600m none "$1" && cd "$1" || exit 99
shift
head -c {filler}m /dev/zero > filler
"$@" > "$OUT/full.txt" 2>&1
echo $? > "$OUT/full.code"
rm filler
"$@" > "$OUT/room.txt" 2>&1
echo $? > "$OUT/room.code"
cp -r studies "$OUT/studies"
"""


def test_a_full_disk_is_said_and_the_same_command_goes_on_when_there_is_room(tmp_path, monkeypatch):
    if subprocess.run(["unshare", "--mount", "true"], check=False).returncode != 0:
        pytest.skip("unshare is not permitted here, so no small disk can be mounted")
    place, out = tmp_path / "small", tmp_path / "out"
    place.mkdir()
    out.mkdir()
    monkeypatch.setenv("OUT", str(out))
    words = search_words("budget.trials=2", "search.pruner=none")
    command = [sys.executable, "-m", "autoft", *words]
    script = SCRIPT.format(filler=600 - ROOM_MB)
    subprocess.run(["unshare", "--mount", "sh", "-c", script, "sh", place, *command], check=True, timeout=280)
    full = (out / "full.txt").read_text()
    assert (out / "full.code").read_text() == "1\n", full
    assert "No space left on device" in full or "disk is full" in full
    assert ("make room" in full, "Traceback" in full) == (True, False), full
    room = (out / "room.txt").read_text()
    assert (out / "room.code").read_text() == "0\n", room
    trials = read_trials(find_study("quickstart", out / "studies" / "quickstart"))
    assert [(trial.number, trial.state) for trial in trials] == [(n, "COMPLETE") for n in range(2)]
    assert "models:/quickstart/1" in room
