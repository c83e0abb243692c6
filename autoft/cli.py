"""The command line. Thin: each command imports what it needs when it runs, so that `--help` is quick.

Exit codes: see EXIT_CODES.
"""

import atexit
import gc
import json
import logging
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from autoft.errors import AutoftError, Interrupted
from autoft.screen import open_closed_streams, protect
from autoft.signals import INTERRUPTED, STOPPING, handle_signals, look

FIXABLE, NO_WINNER, TOO_LOW, UNRECORDED = 1, 3, 4, 5
EXIT_CODES = (
    "Exit codes: 0 done, 1 something that you can fix, 2 usage, 3 no trial succeeded, 4 the winner falls "
    "short of --require, 5 done but not all of it is in MLflow, 130 interrupted and can be continued."
)

app = typer.Typer(
    help="Hyperparameter search for fine-tuning pretrained models.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Space = Annotated[Path, typer.Argument(metavar="SPACE", help="The space.yaml.", show_default=False)]
Study = Annotated[
    str, typer.Argument(metavar="STUDY", help="A study's name, or its space.yaml.", show_default=False)
]
Overrides = Annotated[
    list[str], typer.Option("--override", "-o", help="Set a value of the file: -o budget.trials=5.")
]
Gpus = Annotated[
    str | None, typer.Option(help="CUDA devices to use: 0,1. Short for -o resources.gpus=[0,1].")
]


def main() -> None:
    """Runs the command line; an `AutoftError` is printed without a traceback."""
    atexit.register(gc.freeze)  # without this the interpreter searches all imports for garbage, for 2 s
    open_closed_streams()
    try:
        app()
    except AutoftError as error:
        typer.echo(f"autoft: {error}", err=True)
        sys.exit(FIXABLE)
    except (KeyboardInterrupt, SystemExit) as ended:  # Typer makes the one the other
        if isinstance(ended, SystemExit) and ended.code != INTERRUPTED:
            raise
        _leave_at_once()


def _leave_at_once() -> NoReturn:
    """Ends the process without taking down its libraries, whose threads crashed one of 46 exits."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(INTERRUPTED)


@app.command()
def init(
    data: Annotated[
        Path | None,
        typer.Argument(help="A csv, tsv, jsonl, parquet or CoNLL file, or a folder of split files."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The space to write; by default named after DATA."
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A hub id, a folder or package:NAME, instead of the one that fits.")
    ] = None,
    example: Annotated[
        str | None, typer.Option(metavar="NAME", help="Write an example with its data instead: quickstart.")
    ] = None,
) -> None:
    """Look at data, and write a commented space.yaml for them."""
    if (data is None) == (example is None):
        raise typer.BadParameter("give DATA or --example, and not both")
    if example is not None and (output or model):
        raise typer.BadParameter("--example is written as it is: without -o and --model")

    from autoft import init as starter
    from autoft.report.printing import new_console

    if example is not None:
        starter.write_example(example, new_console())
    elif data is not None:
        starter.init(data, output, model, new_console())


@app.command()
def search(
    space: Space,
    override: Overrides = [],  # noqa: B006 - Typer copies it
    gpus: Gpus = None,
    for_: Annotated[
        str | None,
        typer.Option("--for", help="Stop after this time; running trials can be resumed later: 8h, 90m."),
    ] = None,
    until: Annotated[str | None, typer.Option(help="The same at this time of day: 07:00.")] = None,
    require: Annotated[
        str | None,
        typer.Option(
            metavar="METRIC>=NUMBER",
            help="End with status 4 if the winner falls short on the test rows (without them, the "
            "validation rows): 'macro_f1>=0.85'. The metric is the objective; of one that is minimized, "
            "'rmse<=0.5'.",
        ),
    ] = None,
) -> None:
    """Search, and register the best model. Run it again to continue."""
    overrides = _with_gpus(override, gpus)
    protect()
    again = _command_again(space, overrides, for_, until, require)
    with handle_signals(f"{_NOT_OVER} Nothing that was measured is lost; go on with:\n{again}"):
        try:
            code = _search(space, [*overrides, *_time_limit(for_, until)], require)
        except KeyboardInterrupt as interrupt:
            said = f"{interrupt.said}\n" if isinstance(interrupt, Interrupted) else ""
            typer.echo(f"\n{said}Interrupted. Nothing is lost; go on with:\n{again}")
            raise
    raise typer.Exit(code)


_NOT_OVER = "autoft: did not stop in time and was killed; the best model may not have been registered."


def _search(space: Path, overrides: list[str], require: str | None) -> int:
    """Runs the search; returns the exit code."""
    from autoft.spec.read import read_spec
    from autoft.spec.requirement import read_requirement

    # Before torch and Ray are imported, so that a mistake is reported at once.
    spec = read_spec(space, overrides)
    try:
        required = None if require is None else read_requirement(require, spec.metric)
    except ValueError as error:
        raise typer.BadParameter(f"--require {error}") from None

    from autoft import quiet, screen
    from autoft.collector import rare_collections

    with rare_collections():
        from autoft.report.outcome import print_outcome
        from autoft.report.required import meets
        from autoft.session import clear_disk_errors, run_session
        from autoft.study.layout import LOG, study_folder
        from autoft.study.writable import require_writable

    look()
    gc.freeze()  # without this each full collection walks over all imports, for 0.4 s
    with clear_disk_errors():
        require_writable(study_folder(spec.study))
        quiet.log_to(study_folder(spec.study) / LOG)
    console = screen.console()
    outcome = run_session(spec, console)
    print_outcome(outcome, console)
    if outcome.best is None and outcome.ended:
        return NO_WINNER
    if required is not None and not meets(outcome, required, console):
        return TOO_LOW
    return UNRECORDED if outcome.unrecorded else 0


@app.command()
def status(
    study: Annotated[
        str | None, typer.Argument(help="A study's name, or its space.yaml; without it all in ./studies.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Tell how far studies are, also while a search runs in another terminal, which is not disturbed."""
    from autoft import status as now
    from autoft.report.printing import new_console

    if study is not None:
        found = now.status_of(study)
        typer.echo(json.dumps(found.to_dict())) if json_ else now.print_status(found, new_console())
    else:
        every = now.all_statuses()
        typer.echo(json.dumps([each.to_dict() for each in every])) if json_ else now.print_all(
            every, new_console()
        )


@app.command()
def stop(
    study: Study,
    trial: Annotated[
        int | None, typer.Option(help="End only this trial; it counts toward budget.trials.")
    ] = None,
) -> None:
    """Stop a search that runs in another terminal; run its command again to continue."""
    from autoft import control

    typer.echo(control.stop(study, trial))


@app.command()
def add(
    study: Study,
    parameters: Annotated[
        list[str], typer.Argument(metavar="NAME=VALUE...", help="learning_rate=2e-5", show_default=False)
    ],
) -> None:
    """Queue a configuration to be tried next, also while the search runs."""
    from autoft import control

    typer.echo(control.add(study, parameters))


@app.command()
def sync(
    study: Study,
    uri: Annotated[str | None, typer.Option(help="Another tracking store than the study's own.")] = None,
) -> None:
    """Publish a study to MLflow anew, from what its storage holds."""
    from autoft import publish

    typer.echo(publish.sync(study, uri))


@app.command()
def promote(
    study: Study,
    trial: Annotated[int | None, typer.Option(help="The trial; by default the winner.")] = None,
) -> None:
    """Make a trial's model the champion in MLflow; the one before gets the alias previous."""
    from autoft import publish

    typer.echo(publish.promote(study, trial, typer.echo))


@app.command()
def check(
    space: Space,
    override: Overrides = [],  # noqa: B006 - Typer copies it
    gpus: Gpus = None,
    rehearse: Annotated[
        bool,
        typer.Option(
            "--rehearse",
            help="Then try a few steps of the costliest trials, and report memory, speed and disk.",
        ),
    ] = False,
) -> None:
    """Say what the search would do, and whether it could. Trains nothing, unless it rehearses."""
    from autoft.spec.read import read_spec

    spec = read_spec(space, _with_gpus(override, gpus))  # before torch and Ray are imported

    from autoft.report.check import check as examine
    from autoft.report.printing import new_console

    console = new_console()
    if not examine(spec, console):
        raise typer.Exit(FIXABLE)
    if not rehearse:
        return

    from autoft.rehearsal import rehearse as try_out

    if not try_out(spec, console):
        raise typer.Exit(FIXABLE)


@app.command()
def best(study: Study, json_: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """Print the winning configuration of a study."""
    from autoft import api
    from autoft.collector import rare_collections
    from autoft.report import words

    with rare_collections():  # MLflow is imported there
        winner = api.best_config(study)
    if json_:
        typer.echo(json.dumps(winner.to_dict()))
        return
    found = winner.to_dict()
    said = {name: found[name] and found[name]["said"] for name in ("confirmation", "refit", "test")}
    for key, value in {**found, **said}.items():
        if value is not None:
            typer.echo(f"{key:<10} {words.parameters(value) if isinstance(value, dict) else value}")
    if winner.model_uri is None:
        typer.echo(f"Its model is not there: autoft sync {study} publishes it.", err=True)


@app.command()
def show(study: Study, trial: Annotated[int | None, typer.Argument(help="A trial's number.")] = None) -> None:
    """Show a study's trials, or one trial's parameters, curve, log and traceback."""
    from autoft.named import read_study
    from autoft.report.printing import new_console
    from autoft.report.show import show_study, show_trial

    found = read_study(study)
    if trial is None:
        show_study(found, new_console())
    else:
        show_trial(found, trial, new_console())


@app.command()
def report(study: Study) -> None:
    """Write what a search has found, so far or at its end, as one HTML file; print its path."""
    from autoft import control

    typer.echo(control.report(study))


@app.command()
def refine(study: Study) -> None:
    """Write the next space: narrowed to where a study's best trials lie, beside its space.yaml."""
    from autoft.refine import refine as write

    path = write(study)
    typer.echo(f"{path}\nautoft check {path}")


@app.command()
def ui(
    study: Annotated[str | None, typer.Argument(help="A study's name, or its space.yaml.")] = None,
) -> None:
    """Open the MLflow UI on 127.0.0.1, at the study's own runs if one is named."""
    from autoft.named import study_name, study_tracking_uri
    from autoft.tracking.ui import serve

    serve(study_tracking_uri(study), study=study_name(study) if study else None)


@app.command()
def explain(
    name: Annotated[
        str | None, typer.Argument(help="A task, hyperparameter, metric, sampler or pruner.")
    ] = None,
) -> None:
    """Tell what can be written in a space.yaml, with meanings and defaults."""
    from autoft.spec.explain import explain as text

    typer.echo(text(name))


@app.command()
def schema() -> None:
    """Print the JSON Schema of space.yaml, for editors."""
    from autoft.spec.schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))


def _command_again(
    space: Path, overrides: list[str], for_: str | None, until: str | None, require: str | None
) -> str:
    """The command as it was typed, as a shell takes it; without passwords."""
    import shlex

    from autoft.spec.environment import redact

    options = [
        *(("-o", text) for text in overrides),
        ("--for", for_),
        ("--until", until),
        ("--require", require),
    ]
    words = [word for name, text in options if text for word in (name, text)]
    return redact(shlex.join(["autoft", "search", str(space), *words]))


def _with_gpus(overrides: list[str], gpus: str | None) -> list[str]:
    return overrides if gpus is None else [*overrides, f"resources.gpus=[{gpus}]"]


def _time_limit(for_: str | None, until: str | None) -> list[str]:
    """`--for` and `--until` as an override of budget.time."""
    from datetime import datetime, timedelta

    from autoft.spec.scalars import duration_s

    if for_ is not None and until is not None:
        raise typer.BadParameter("--for and --until say the same; give one of them")
    if for_ is not None:
        try:
            duration_s(for_)
        except ValueError as error:
            raise typer.BadParameter(f"--for {error}") from None
        return [f"budget.time={for_}"]
    if until is None:
        return []
    try:
        clock = datetime.strptime(until, "%H:%M").time()
    except ValueError:
        raise typer.BadParameter(f"--until must be a time of day such as 07:00, got {until!r}") from None
    now = datetime.now()
    end = datetime.combine(now.date(), clock)
    end += timedelta(days=1) if end <= now else timedelta()
    return [f"budget.time={max(1, round((end - now).total_seconds()))}s"]
