"""A trial's resume state: all that another process needs to continue it as if nothing had happened.

One safetensors file: the trained tensors, the optimizer's state, the states of the random generators and
the losses since the last measurement; in its header the step and the measurements so far. The position in the
data follows from the step, and so does the learning rate.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from autoft.data.files import hasher
from autoft.kernel.config import FineTuneConfig
from autoft.kernel.measurement import Measurement
from autoft.spec.tasks import HYPERPARAMETERS

FORMAT = 3
"""The format of the file and of the batches that follow; files of another format are not used."""
_KEY, _STATE = "key", "state"
_OPTIMIZER = "optimizer:"


@dataclass
class ResumeState:
    """The state of a trial between two steps."""

    step: int
    """Optimizer steps done."""
    measurements: list[Measurement]
    elapsed_s: float
    micro_batch: int | None
    """See `Measurement`."""
    tensors: Mapping[str, torch.Tensor]
    """By name: what training changes, the optimizer's state, `random:0` and so on, and `losses`."""


def state_of(
    live: Mapping[str, torch.Tensor],
    optimizer: torch.optim.Optimizer,
    random_states: Sequence[torch.Tensor],
    losses: Sequence[torch.Tensor],
) -> dict[str, torch.Tensor]:
    """The tensors of a state; they are the trial's own, to be written before training continues.

    Args:
        live: what training changes, by name.
        optimizer: of any kind whose state is tensors.
        random_states: of the generators that training draws from.
        losses: scalars, since the last measurement.
    """
    found = {f"live:{name}": tensor.detach() for name, tensor in live.items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors = {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}
        found |= {f"{_OPTIMIZER}{number}:{name}": tensor for name, tensor in tensors.items()}
    found |= {f"random:{index}": state for index, state in enumerate(random_states)}
    if losses:
        found["losses"] = torch.stack(list(losses))
    return found


@torch.no_grad()
def restore(
    saved: ResumeState,
    live: Mapping[str, torch.Tensor],
    optimizer: torch.optim.Optimizer,
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Copies a state's tensors to where training changes them; returns the random states and the losses.

    Args:
        saved: from `read_resume_state`, with these tensors.
        live: see `state_of`.
        optimizer: made as the saved one was.
    """
    tensors = saved.tensors
    for name, tensor in live.items():
        tensor.copy_(tensors[f"live:{name}"])
    _restore_optimizer(tensors, optimizer)
    count = sum(name.startswith("random:") for name in tensors)
    losses = [each.to(next(iter(live.values())).device) for each in tensors.get("losses", ())]
    return [tensors[f"random:{index}"] for index in range(count)], losses


def _restore_optimizer(tensors: Mapping[str, torch.Tensor], optimizer: torch.optim.Optimizer) -> None:
    states: dict[int, dict[str, torch.Tensor]] = defaultdict(dict)
    for key in tensors:
        if key.startswith(_OPTIMIZER):
            number, _, name = key.removeprefix(_OPTIMIZER).partition(":")
            states[int(number)][name] = tensors[key].clone()  # the file that they lie in will be replaced
    own = optimizer.state_dict()
    if own["state"]:  # made with the optimizer, at addresses that may have been captured
        for number, tensors_of in own["state"].items():
            for name, tensor in tensors_of.items():
                tensor.copy_(states[number][name])
        return
    optimizer.load_state_dict({"param_groups": own["param_groups"], "state": dict(states)})


def header(saved: ResumeState, config: FineTuneConfig, rows_key: str) -> dict[str, str]:
    """A state without its tensors, for the header of its file."""
    state = {
        "step": saved.step,
        "elapsed_s": saved.elapsed_s,
        "micro_batch": saved.micro_batch,
        "measurements": [_plain(one) for one in saved.measurements],
    }
    return {_KEY: _key(config, rows_key), _STATE: json.dumps(state)}


def read_resume_state(
    path: Path, config: FineTuneConfig, rows_key: str, shapes: Mapping[str, torch.Size]
) -> tuple[ResumeState | None, str]:
    """The state in a file, or None and why this trial cannot resume from it, in words.

    Args:
        path: the file.
        config: the trial's; the state of another one is not taken.
        rows_key: names the rows; nor is one of other rows.
        shapes: of the tensors that it must hold at least.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            if about.get(_KEY) != _key(config, rows_key):
                return None, "it is of another trial, other rows or another version of autoft"
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except FileNotFoundError:
        return None, "there is none"
    except (SafetensorError, OSError) as error:
        return None, f"it is damaged: {error}"
    if any(name not in tensors or tensors[name].shape != shape for name, shape in shapes.items()):
        return None, "its tensors are not this trial's"
    state: dict[str, Any] = json.loads(about[_STATE])
    measurements = [_measurement(each) for each in state.pop("measurements")]
    return ResumeState(**state, measurements=measurements, tensors=tensors), ""


def _key(config: FineTuneConfig, rows_key: str) -> str:
    """A digest of everything that decides how the trial continues."""
    decided = {**_chosen(vars(config)), "task_values": _chosen(config.task_values)}
    digest = hasher()
    digest.update(json.dumps([FORMAT, torch.__version__, rows_key, decided], sort_keys=True).encode())
    return digest.hexdigest()


def _chosen(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what has its default, so that a hyperparameter that a later version adds changes no key."""
    usual = {"ends_at": 0.0, **{name: each.default for name, each in HYPERPARAMETERS.items()}}
    return {name: value for name, value in values.items() if name not in usual or value != usual[name]}


def _plain(one: Measurement) -> dict[str, Any]:
    return asdict(replace(one, checkpoint=None)) | {"checkpoint": str(one.checkpoint or "")}


def _measurement(plain: Mapping[str, Any]) -> Measurement:
    checkpoint = plain["checkpoint"]
    return Measurement(**{**plain, "checkpoint": Path(checkpoint) if checkpoint else None})
