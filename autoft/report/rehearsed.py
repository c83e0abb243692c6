"""Prints the result of a rehearsal line by line, in the format of `autoft check`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from autoft.report import words
from autoft.report.printing import say
from autoft.spec.corners import costly
from autoft.spec.size import size_text
from autoft.spec.space import Value
from autoft.study.ray_tune.runtime import NodeType
from autoft.study.records import TrialRecord


@dataclass(frozen=True)
class Tried:
    """What the few steps of one corner of the space took."""

    values: Mapping[str, Value]
    """The values of the corner (`spec.corners`)."""
    node: str
    """The host that ran it."""
    step_s: float
    """Seconds of a step with the longest rows, so an upper bound."""
    trial_s: float
    """Seconds of a whole trial with the most epochs, at that rate."""
    host_bytes: int
    """Peak main memory of the process."""
    gpu_bytes: int
    """Peak memory on its GPU; 0 without one."""
    checkpoint_bytes: int
    resume_bytes: int
    """Size of the file from which an interrupted trial resumes."""
    micro_batch: int | None
    """See `Measurement`."""


@dataclass(frozen=True)
class DiskNeed:
    """The most bytes that a search can take."""

    checkpoints: int
    """Checkpoints of the best trials and of running ones."""
    going_on: int
    """Resume files of running trials, from which an interrupted search continues."""
    cache: int
    """Hidden states."""
    model: int
    """The winner in MLflow's form, before and after it is uploaded."""

    @staticmethod
    def of(tried: Sequence[Tried], keep: int, slots: int, cache: int, model: int) -> "DiskNeed":
        """The need for `keep` best trials and `slots` running ones.

        A trial's file is replaced by a complete new one, so each running trial has two for a moment.
        """
        checkpoint = max(each.checkpoint_bytes for each in tried)
        resume = max(each.resume_bytes for each in tried)
        return DiskNeed(checkpoint * (keep + 2 * slots), 2 * resume * slots, cache, 2 * model)

    @property
    def total(self) -> int:
        """The sum."""
        return self.checkpoints + self.going_on + self.cache + self.model


class Page:
    """Prints labeled lines and counts the problems among them."""

    def __init__(self, console: Console) -> None:
        self.console, self.problems = console, 0

    def line(self, label: str, text: str, style: str = "") -> None:
        """Prints a labeled line; the label is empty if the line continues the one above."""
        say(self.console, f"{label:<10} {text}", style)

    def problem(self, label: str, text: str) -> None:
        """Prints a problem that has to be fixed before the search."""
        self.problems += 1
        self.line(label, f"PROBLEM: {text}", style="red")

    def end(self) -> None:
        """Prints the conclusion."""
        if self.problems:
            count = words.count(self.problems, "problem")
            say(self.console, f"\n{count}; fix what is marked above.", "red")
        else:
            say(self.console, "\nThe rehearsal went well.", "green")

    def begins(self, node_types: Sequence[NodeType], corners: int, steps: int) -> None:
        """Prints what is about to be done, because it takes a while."""
        self.console.print()
        self.line(
            "rehearsal",
            f"{words.count(steps, 'step')} of the costliest and the cheapest trials ({corners} of them)",
        )
        for node_type in node_types:
            gpu = f" ({node_type.accelerator})" if node_type.accelerator else ""
            at_a_time = f"{words.count(node_type.slots, 'trial')} at a time"
            each = f"{node_type.cpus:g} CPUs, {node_type.gpus:g} GPUs{gpu}, {at_a_time}"
            self.line("", f"on {words.count(node_type.nodes, 'node')} with {each}")

    def failures(self, trials: Sequence[TrialRecord]) -> None:
        """Prints the trials that are not complete; the same reason is printed only once."""
        told = set()
        for trial in trials:
            shown = costly(trial.values)
            if (trial.reason, str(shown)) not in told:
                told.add((trial.reason, str(shown)))
                self.problem("trial", f"{words.parameters(shown)} on {trial.node or '?'}: {trial.reason}")

    def tried(self, tried: Sequence[Tried], slots: int) -> None:
        """Prints memory and speed on one type of node, on which `slots` trials run at the same time."""
        host, gpu = max(each.host_bytes for each in tried), max(each.gpu_bytes for each in tried)
        together = f", {size_text(slots * host)} for {slots} at a time" if slots > 1 else ""
        on_gpu = f"; {size_text(gpu)} of its GPU's" if gpu else ""
        node = tried[0].node
        self.line("memory", f"on {node}: at most {size_text(host)} a trial{together}{on_gpu}")
        slowest: dict[str, Tried] = {}
        for each in tried:
            name = words.parameters(each.values)
            if name not in slowest or each.step_s > slowest[name].step_s:
                slowest[name] = each
        for i, (name, each) in enumerate(slowest.items()):
            pieces = f"; only {each.micro_batch} rows fit in memory at a time" if each.micro_batch else ""
            speed = f"{words.number(each.step_s)} s a step, at most {words.duration(each.trial_s)} a trial"
            self.line("" if i else "speed", f"{speed}{pieces}: {name}")

    def model(self, size: int) -> None:
        """Prints that the model came back from the tracking store."""
        self.line("model", f"{size_text(size)}: checkpoint and MLflow model written, read back and deleted")

    def disk(self, need: DiskNeed, free: int, limit: int | None, folder: Path) -> None:
        """Prints what the search will write where, and whether that fits."""
        parts = {
            "checkpoints": need.checkpoints,
            "resume files": need.going_on,
            "hidden states": need.cache,
            "MLflow model": need.model,
        }
        listed = ", ".join(f"{name} {size_text(size)}" for name, size in parts.items() if size)
        if need.total > free:
            self.problem(
                "disk",
                f"{size_text(need.total)} are needed ({listed}), but {folder} has room for "
                f"{size_text(free)}; make room, or lower checkpoints.keep or resources.cache",
            )
            return
        self.line("disk", f"{size_text(need.total)} at most: {listed}; {size_text(free)} are free")
        kept = need.checkpoints + need.going_on
        if limit is not None and kept > limit:
            self.problem(
                "", f"resources.disk is {size_text(limit)}, but checkpoints alone can take {size_text(kept)}"
            )
