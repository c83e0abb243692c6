"""The winner's model: logged in its trial's run, registered, and marked as the champion."""

import copy
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelOutput, Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema

from autoft.errors import TrackingError
from autoft.tracking import runs, store, tags
from autoft.tracking.projection import metrics

if TYPE_CHECKING:
    from autoft.study.comparison import Comparison
    from autoft.study.records import StudyInfo, TrialRecord

CHAMPION = "champion"
"""The alias of the registered model to use."""
_PACKAGES = ("mlflow", "transformers", "torch", "tokenizers", "safetensors")
"""What a process that loads the model must have; MLflow brings pandas and numpy."""


@dataclass(frozen=True)
class Champion:
    """A registered model version."""

    name: str
    """Of the registered model."""
    version: int
    model_uri: str
    """`models:/name/version`, for `mlflow.transformers.load_model` and `mlflow.pyfunc.load_model`."""
    run_id: str
    """Of the trial that won."""


@dataclass(frozen=True)
class FineTuned:
    """The winner's model, rebuilt, with what one must know to use it."""

    model: Any
    """A transformers sequence-classification model; its config has the label names."""
    tokenizer: Any
    """The pretrained tokenizer."""
    reference: str
    """The pretrained model as space.yaml names it."""
    max_length: int
    """Tokens a row in the winning trial; longer rows are cut."""
    example: tuple[str, ...]
    """One row: a text, or two for a pair."""


def register_champion(
    uri: str | None,
    experiment: str,
    study_id: str,
    info: "StudyInfo",
    trial: "TrialRecord",
    tuned: FineTuned,
    name: str,
    comparison: "Comparison | None" = None,
) -> Champion:
    """Logs the model in the trial's run, registers it as `name` and gives it the alias `champion`.

    A trial that is registered already gets no second version; the alias moves to it where it is
    elsewhere. The trial's run must be in MLflow (see `Recorder.flush`). The model's and the tokenizer's
    name are set to `tuned.reference`, without the folders of this machine. Its description says what the
    default of the `comparison` has.

    Raises:
        TrackingError: the store, its artifact store or its registry does not take it.
    """
    client = store.connect(uri)
    where = store.resolve(uri)
    with store.clear_errors(where):
        run = find_trial_run(client, experiment, info.name, study_id, trial.number)
        registered = _registered(client, name, run.info.run_id)
    if registered is None:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "model"
            described = save_model(path, info, trial, tuned)
            with store.clear_errors(where):
                _ensure_model(client, name, info)
                registered = _publish(client, path, described, info, trial, name, run, comparison)
    with store.clear_errors(where):
        number = int(registered.version)
        if _aliased(client, name) != number:
            client.set_registered_model_alias(name, CHAMPION, str(number))
        model_uri = f"models:/{name}/{number}"
        client.set_tag(run.info.run_id, tags.MODEL_URI, model_uri)
    return Champion(name, number, model_uri, run.info.run_id)


def find_champion(
    uri: str | None, experiment: str, study_id: str, study: str, number: int, name: str
) -> Champion | None:
    """The registered version of the trial where it already is the champion: then there is nothing to rebuild.

    Raises TrackingError where the store does not answer.
    """
    client = store.connect(uri)
    with store.clear_errors(store.resolve(uri)):
        run = find_trial_run(client, experiment, study, study_id, number)
        registered = _registered(client, name, run.info.run_id)
        if registered is None or _aliased(client, name) != int(registered.version):
            return None
        return Champion(
            name, int(registered.version), f"models:/{name}/{registered.version}", run.info.run_id
        )


def find_trial_run(client: MlflowClient, experiment: str, study: str, study_id: str, number: int) -> Run:
    """The MLflow run of a trial; TrackingError where there is none."""
    wanted = runs.has(STUDY=study, STUDY_ID=study_id, ROLE="trial", TRIAL=str(number))
    place = store.experiment_id(client, experiment)
    found = runs.fullest(runs.search(client, [place], wanted))
    if found is None:
        raise TrackingError(
            f"trial {number} of {study!r} is not in MLflow yet, so its model has no run to go to; "
            "run the same command again when the tracking server answers"
        )
    return found


def _registered(client: MlflowClient, name: str, run_id: str) -> ModelVersion | None:
    """The newest version of the registered model that comes from this run."""
    found = client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'")
    where = client.tracking_uri  # files are looked for: a folder may have been deleted since
    ready = [one for one in found if one.status == "READY" and store.holds_files(str(one.source), where)]
    return max(ready, key=lambda one: int(one.version), default=None)


def _aliased(client: MlflowClient, name: str) -> int | None:
    try:
        return int(client.get_model_version_by_alias(name, CHAMPION).version)
    except MlflowException:  # no such model or no such alias
        return None


def _ensure_model(client: MlflowClient, name: str, info: "StudyInfo") -> None:
    try:
        client.create_registered_model(
            name, tags={tags.STUDY: info.name}, description=f"Winners of the study {info.name}, by autoft."
        )
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _publish(
    client: MlflowClient,
    path: Path,
    described: Model,
    info: "StudyInfo",
    trial: "TrialRecord",
    name: str,
    run: Run,
    comparison: "Comparison | None",
) -> ModelVersion:
    """A version whose model is whole: an upload that breaks off leaves none."""
    beside = "" if comparison is None else f" {comparison.fact}"
    made = log_model(client, path, described, info, trial, run)
    _link(client, run.info.run_id, made.model_id, trial)
    return client.create_model_version(
        name,
        source=made.artifact_location,  # as `models:/id` it would be looked up in MLflow's default store
        run_id=run.info.run_id,
        tags={tags.STUDY: info.name, tags.TRIAL: str(trial.number)},
        description=f"Trial {trial.number} of {info.name}: {info.objective} {trial.score:.4f} on validation."
        f"{beside}",
        model_id=made.model_id,
    )


def log_model(
    client: MlflowClient, path: Path, described: Model, info: "StudyInfo", trial: "TrialRecord", run: Run
) -> LoggedModel:
    """Uploads what `save_model` wrote to `path`, as the model of a trial's run; registers nothing.

    Where the upload breaks off, the model in MLflow says that it failed. Raises what MLflow raises.
    """
    made = client.create_logged_model(
        run.info.experiment_id,
        name="model",
        source_run_id=run.info.run_id,
        tags={tags.STUDY: info.name, tags.TRIAL: str(trial.number)},
        params=dict(run.data.params),
    )
    described.run_id = run.info.run_id
    described.model_uuid = described.model_id = made.model_id
    described.save(str(path / "MLmodel"))
    try:
        client.log_model_artifacts(made.model_id, str(path))
    except BaseException:
        with suppress(Exception):
            client.finalize_logged_model(made.model_id, "FAILED")
        raise
    client.finalize_logged_model(made.model_id, "READY")
    return made


def _link(client: MlflowClient, run_id: str, model_id: str, trial: "TrialRecord") -> None:
    """Shows the model on the run's page, and the metrics of its moment on the model's page."""
    best = next((one for one in trial.measurements if one.index == trial.best_index), None)
    client.log_outputs(run_id, [LoggedModelOutput(model_id, best.step if best else 0)])
    if best is not None:
        client.log_batch(run_id, metrics=metrics(trial, [best], model_id))


def save_model(path: Path, info: "StudyInfo", trial: "TrialRecord", tuned: FineTuned) -> Model:
    """Writes the model to `path` in MLflow's transformers flavour, without a word of this machine.

    Not by MLflow's `log_model`, which writes the place of a local artifact store into MLmodel. Nothing is
    asked of the internet. Raises TrackingError where there is no room for it.
    """
    import mlflow.transformers
    from transformers import TextClassificationPipeline

    from autoft.tracking.self_truncating import self_truncating

    reference = shareable(tuned.reference)
    tokenizer = copy.deepcopy(tuned.tokenizer)
    tuned.model.config._name_or_path = tokenizer.name_or_path = reference
    tuned.model.name_or_path = ""  # else MLflow asks the hub for a license of that name
    _forget_place(tokenizer)
    signature, example = _signature(tuned.example)
    about = {"study": info.name, "trial": trial.number, "max_length": tuned.max_length}
    described = Model(metadata=about)
    try:
        mlflow.transformers.save_model(
            TextClassificationPipeline(  # type: ignore[no-untyped-call]
                model=tuned.model.eval(),
                tokenizer=self_truncating(tokenizer, tuned.max_length),
                task="text-classification",
                device=tuned.model.device,
            ),
            str(path),
            task="text-classification",
            mlflow_model=described,
            signature=signature,
            input_example=example,
            pip_requirements=pip_requirements(),
            model_card=_card(info, trial, reference),
        )
    except OSError as error:
        raise TrackingError(
            f"the champion's model cannot be written to {path.parent} before it is uploaded: "
            f"{store.first_line(error)}. Make room there, or set TMPDIR to a folder that has some."
        ) from error
    tuned.model.name_or_path = described.flavors["transformers"]["source_model_name"] = reference
    (path / "LICENSE.txt").write_text(f"A fine-tuned {reference}: the license of that model applies.\n")
    return described


def shareable(reference: str) -> str:
    """A model reference as artifacts may show it: a folder's place on this machine is cut to its name.

    >>> shareable("/home/me/models/minilm"), shareable("./minilm"), shareable("org/name")
    ('minilm', './minilm', 'org/name')
    """
    outside = reference.startswith(("/", "~", "\\", "..")) or reference[1:2] == ":"
    return PurePath(reference.replace("\\", "/")).name if outside else reference


def pip_requirements() -> list[str]:
    """What the model needs to run, at the versions that made it."""
    return [f"{name}=={version(name).partition('+')[0]}" for name in _PACKAGES]


def _forget_place(tokenizer: Any) -> None:
    """Leaves out of the saved tokenizer how it was found here, and habits baked in for another use."""
    for key in (
        "is_local",
        "local_files_only",
        "max_length",
        "stride",
        "truncation_strategy",
        "pad_to_multiple_of",
    ):
        tokenizer.init_kwargs.pop(key, None)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        backend.no_truncation()
        backend.no_padding()


def _signature(example: Sequence[str]) -> tuple[ModelSignature, Any]:
    """Inputs, outputs and an example row.

    One text column has no name: pyfunc then takes a string, a list of them, or a frame with the column
    `text`. A pair has the columns `text` and `text_pair`.
    """
    outputs = Schema([ColSpec("string", "label"), ColSpec("double", "score")])
    if len(example) == 1:
        return ModelSignature(inputs=Schema([ColSpec("string")]), outputs=outputs), [example[0]]
    names = ("text", "text_pair")
    inputs = Schema([ColSpec("string", name) for name in names])
    return ModelSignature(inputs=inputs, outputs=outputs), dict(zip(names, example, strict=True))


def _card(info: "StudyInfo", trial: "TrialRecord", reference: str) -> Any:
    """The model's card. Given, so that MLflow does not look for one of that name on the internet."""
    from huggingface_hub import ModelCard

    values = "\n".join(f"- {name}: {json.dumps(value)}" for name, value in sorted(trial.values.items()))
    return ModelCard(
        f"---\nlicense: other\n---\n# {info.name}\n\n{reference}, fine-tuned for {info.task}: "
        f"trial {trial.number} of the study {info.name}, {info.objective} {trial.score:.4f} on validation. "
        f"The license of {reference} applies.\n\n{values}\n"
    )
