"""Before a study's first trial: the models whose steps are captured as CUDA graphs, if the user asks for it.

A short self-check on the device at hand says so; where it fails, steps are eager, and a note tells why.
"""

from collections.abc import Iterator
from dataclasses import replace

import torch

from autoft.kernel.boundary.plan import CachePlan
from autoft.kernel.device import Precision, choose_device
from autoft.kernel.study_inputs import StudyInputs
from autoft.kernel.workbench import Workbench
from autoft.spec.space import Choice, Value
from autoft.spec.study import StudySpec
from autoft.study.trial_config import fine_tune_config

STEPS = 20
EPOCHS = 10_000
"""Of the trials that are compared: so that each shape comes often enough to be captured."""
TOLERANCE = {"fp32": 1e-3, "bf16": 2e-2}
"""By precision: how much the losses of the two forms may differ in STEPS steps without dropout, as a share of
the first. Over so few steps float32 agrees within 1e-6 (on a CPU); bf16 keeps 8 bits of a number."""


def with_graphs(
    plan: CachePlan, spec: StudySpec, study_inputs: StudyInputs, precision: Precision
) -> CachePlan:
    """The plan, with the models whose steps are captured, and notes on those whose steps are not.

    Args:
        plan: the study's, from `plan_cache`.
        spec: the request, fitted to its models.
        study_inputs: as the workers get them, with this node's models.
        precision: of the study.
    """
    if not spec.resources.cuda_graphs:
        return plan
    refused = {ref.name: _refusal(ref.name, plan, spec, study_inputs, precision) for ref in spec.models}
    return replace(
        plan,
        graphs=tuple(name for name, why in refused.items() if why is None),
        notes=(*plan.notes, *_notes(refused, spec)),
    )


def _notes(refused: dict[str, str | None], spec: StudySpec) -> Iterator[str]:
    for name, why in refused.items():
        yield f"steps of {name} are " + ("CUDA graphs" if why is None else f"eager: {why}")
    domains = [each.domain for each in spec.space.parameters if each.name == "optimizer"]
    searched = [value for domain in domains if isinstance(domain, Choice) for value in domain.values]
    used = dict.fromkeys(searched or [spec.space.resolve({})["optimizer"]])
    if others := [str(each) for each in used if each != "adamw"]:
        yield f"steps of {', '.join(others)} are eager: only those of adamw can be captured"


def _refusal(
    name: str, plan: CachePlan, spec: StudySpec, study_inputs: StudyInputs, precision: Precision
) -> str | None:
    """Why a model's steps are not captured; None where captured steps are seen to be the eager ones."""
    if name in plan.mixing_padding:
        return "it reads padding, of which captured batches have more"
    if choose_device().type != "cuda":
        return "there is no GPU here to try it on"
    threads = torch.get_num_threads()
    try:
        with torch.random.fork_rng():
            found = (_difference(name, depth, plan, spec, study_inputs, precision) for depth in _depths(spec))
            return next((why for why in found if why is not None), None)
    except Exception as error:  # an architecture may raise anything where numbers are tensors
        return f"a captured step failed: {error!r}"
    finally:
        torch.set_num_threads(threads)
        torch.cuda.empty_cache()


def _depths(spec: StudySpec) -> tuple[Value, ...]:
    """Those of the study: each is computed in its own way, above other stored states."""
    domains = [each.domain for each in spec.space.parameters if each.name == "unfreeze_depth"]
    searched = [value for domain in domains if isinstance(domain, Choice) for value in domain.values]
    return tuple(searched) or (spec.space.resolve({})["unfreeze_depth"],)


def _difference(
    name: str, depth: Value, plan: CachePlan, spec: StudySpec, study_inputs: StudyInputs, precision: Precision
) -> str | None:
    """Takes the same steps in both forms; says how far they are apart, None where they agree."""
    values = {
        **spec.space.resolve({}),
        "model": name,
        "unfreeze_depth": depth,
        "optimizer": "adamw",
        "dropout": 0.0,
        "warmup_ratio": 0.0,
    }
    config = fine_tune_config(spec, values, spec.search.seed, precision)
    config = replace(config, epochs=EPOCHS)
    losses = []
    for graphs in ((), (name,)):
        workbench = Workbench(replace(study_inputs, cache_plan=replace(plan, graphs=graphs)))
        losses.append(workbench.first_steps(config, STEPS)[0])
        if reasons := workbench.not_captured:
            return f"they cannot be captured: {reasons[0]}"
    for step, (eager, captured) in enumerate(zip(*losses, strict=True), start=1):
        if not abs(captured - eager) <= TOLERANCE[precision] * losses[0][0]:  # nor is NaN
            at = f"at depth {depth}, step {step}"
            return f"captured ones differ: {at} the loss is {captured:.4g}, not {eager:.4g}"
    return None
