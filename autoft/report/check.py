"""`autoft check`: what a search would do, and whether it could. Trains nothing, leaves nothing behind."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from rich.console import Console

from autoft.data.files import read_table
from autoft.data.prepare import SPLITS, PreparedData, Rows, examine
from autoft.errors import AutoftError
from autoft.judge.preflight import preflight
from autoft.kernel.boundary.decide import plan_cache
from autoft.kernel.cut import cut_rows
from autoft.kernel.device import Precision
from autoft.kernel.model_summary import ModelSummary, fit_to_models
from autoft.kernel.pretrained import resolve
from autoft.kernel.study_inputs import StudyInputs
from autoft.report import cache_lines, learned, words
from autoft.report.printing import add_row, new_table, one_line, say
from autoft.signals import handle_signals
from autoft.spec.default_domains import awaiting_models
from autoft.spec.describe import describe
from autoft.spec.first import require_first_searched
from autoft.spec.hyperparameters import Depth
from autoft.spec.space import Choice
from autoft.spec.study import StudySpec
from autoft.spec.tasks import TASKS
from autoft.study.cuda_graphs import with_graphs
from autoft.study.identity import identity_of, require_same, with_stored_defaults
from autoft.study.layout import study_folder, temporary_folder
from autoft.study.learn import lessons_of
from autoft.study.pruner import expected_passes, require_decisions
from autoft.study.ray_tune.runtime import ray_runtime
from autoft.study.records import read_cache_plan, read_trials
from autoft.study.reserve import MOST
from autoft.study.start import plan_start, read_start
from autoft.study.storage import Study, find_existing_study
from autoft.study.trial_config import report_steps_of
from autoft.study.writable import require_writable, written_by
from autoft.tasks.find import find_task
from autoft.tracking import store
from autoft.tracking.probe import probe

T = TypeVar("T")


@handle_signals()
def check(spec: StudySpec, console: Console) -> bool:
    """Prints the plan, section by section; returns whether no problem was found.

    A problem ends only its own section, so that all problems are shown together.
    """
    return _Check(spec, console).run()


class _Check:
    def __init__(self, spec: StudySpec, console: Console) -> None:
        self.spec, self.console, self.problems, self.warnings = spec, console, 0, 0

    def run(self) -> bool:
        """Runs all sections; rows and tokens that they need are put in a temporary folder."""
        if self.attempt("writes", temporary_folder) is None:
            return self.end()
        with TemporaryDirectory() as folder:
            self._run(Path(folder))
        return self.end()

    def _run(self, scratch: Path) -> None:
        self.line("study", f"{self.spec.study}: {self.spec.task}, best {self.spec.objective}")
        read = self.attempt("data", lambda: self.data(scratch))
        rows, data = read if read else (None, None)
        fitted = self.attempt("model", lambda: self.fitted(data)) if data else None
        study = None
        if fitted:
            self.spec, summary = fitted
            for fact in summary:
                self.model(fact)
            if rows:
                for cut in cut_rows(self.spec, rows, summary):
                    self.warn(cut)
            study = self.attempt("so far", self.existing_study)
            self.attempt("first", lambda: require_first_searched(self.spec))
            if study is None:
                self.attempt("pruner", lambda: require_decisions(self.spec))
        self.space({} if fitted else awaiting_models(self.spec.space))
        if data and fitted:
            self.start(study, fitted[1][0])
        self.trials(data)
        if study and data:
            self.attempt("so far", lambda: self.so_far(study, data.digest))
        if rows and fitted:
            self.attempt("learns", lambda: self.learned(study, rows, fitted[1]))
        precision = self.attempt("resources", self.resources)
        if data and fitted and precision:
            blocks = {fact.name: fact.blocks for fact in fitted[1]}
            self.attempt("cache", lambda: self.cache(study, data, precision, blocks))
        self.attempt("tracking", self.tracking)
        self.writes()

    def end(self) -> bool:
        """Prints the conclusion; returns whether no problem was found."""
        if self.problems:
            said = f"\n{words.count(self.problems, 'problem')}; fix what is marked above."
            say(self.console, said, "red")
        elif self.warnings:
            said = f"\nNothing stands in the way; {words.count(self.warnings, 'warning')} above."
            say(self.console, said, "yellow")
        else:
            say(self.console, "\nNothing stands in the way.", "green")
        return not self.problems

    def line(self, label: str, text: str, style: str = "") -> None:
        """Prints a labeled line; the label is empty if the line continues the one above."""
        say(self.console, f"{label:<10} {text}", style)

    def problem(self, label: str, text: object) -> None:
        """Prints what a search would refuse."""
        self.problems += 1
        self.line(label, f"PROBLEM: {text}", style="red")

    def warn(self, text: object) -> None:
        """Prints a warning about the section above: no problem, but the user should know."""
        self.warnings += 1
        self.line("", f"WARNING: {text}", style="yellow")

    def attempt(self, label: str, section: Callable[[], T]) -> T | None:
        """Runs a section; an error that the user can fix is printed in its place."""
        try:
            return section()
        except AutoftError as error:
            self.problem(label, error)
            return None

    def data(self, scratch: Path) -> tuple[Rows, PreparedData]:
        rows = examine(self.spec.data, find_task(self.spec.task))
        data = rows.write(scratch)
        sizes = ", ".join(f"{data.size(s):,} {s}" for s in SPLITS if s in data.sizes)
        noun = TASKS[self.spec.task].occurrence
        dropped = f"; {words.count(data.dropped, 'row')} dropped as empty" if data.dropped else ""
        self.line("data", f"{sizes}{dropped}; {words.count(len(data.counts['train']), noun)}")
        table = new_table(noun, *data.counts, "share of train", left=(noun,))
        train = data.counts["train"]
        # A row of words may have many entities of a type, so it is of these that a type has a share.
        whole = sum(train.values()) if TASKS[self.spec.task].inputs == "texts" else data.size("train")
        for label in train if noun == "range" else sorted(train, key=lambda name: -train[name]):
            counts = (f"{data.counts[s][label]:,}" for s in data.counts)
            add_row(table, one_line(label), *counts, f"{train[label] / whole:.1%}")
        self.console.print(table)
        for finding in preflight(self.spec, rows):
            if finding.severity == "error":
                self.problem("", finding)
            elif finding.severity == "warning":
                self.warn(finding)
            else:
                self.line("", str(finding))
        return rows, data

    def fitted(self, data: PreparedData) -> tuple[StudySpec, tuple[ModelSummary, ...]]:
        return fit_to_models(self.spec, data.targets, data.size("train"), read_table(data.rows_path))

    def model(self, summary: ModelSummary) -> None:
        self.line(
            "model",
            f"{summary.name}: {summary.architecture}, {summary.parameters:,} parameters, "
            f"{words.count(summary.blocks, 'block')} ({summary.block_kind})",
        )
        depths = self.depths(summary)
        for depth in depths:
            count = summary.trained[depth]
            self.line("", f"depth {depth!s:<4} trains {count:>13,} ({count / summary.parameters:.1%})")

    def depths(self, summary: ModelSummary) -> list[Depth]:
        """The depths that the space can ask for."""
        searched = {parameter.name: parameter.domain for parameter in self.spec.space.parameters}
        domain = searched.get("unfreeze_depth", Choice((self.spec.space.resolve({})["unfreeze_depth"],)))
        if isinstance(domain, Choice):
            return [depth for depth in summary.trained if depth in domain.values]
        return [d for d in summary.trained if d != "all" and domain.low <= d <= domain.high]

    def space(self, unknown: Mapping[str, str]) -> None:
        """Prints the space; `unknown` are the domains, in words, that depend on models which did not load."""
        for i, (name, known, condition) in enumerate(describe(self.spec.space)):
            domain = f"{unknown[name]} (by default)" if name in unknown else known
            self.line("" if i else "space", f"{name:<16} {domain}{', ' if condition else ''}{condition}")

    def start(self, study: Study | None, summary: ModelSummary) -> None:
        """Prints what is tried before the sampler proposes, in order."""
        start = read_start(study) if study else plan_start(self.spec, summary.blocks)
        if start is None:
            self.line("start", "at random")
        else:
            shown = words.parameters(start.default)
            self.line("start", "trial 0, as recommended" + (f": {shown}" if shown else ""))
        for params in self.spec.first:
            self.line("", f"first: {words.parameters(params)}")
        for params in start.shallow if start else ():
            self.line("", f"then: {words.parameters(params)}")

    def trials(self, data: PreparedData | None) -> None:
        search, budget = self.spec.search, self.spec.budget
        limit = f", at most {words.duration(budget.time_s)} a session" if budget.time_s else ""
        method = f"sampler {search.sampler}, pruner {search.pruner}, seed {search.seed}"
        self.line("search", f"{words.count(budget.trials, 'trial')}{limit}; {method}")
        if (asked := self.spec.confirm) is not None:
            most = asked.seeds * (asked.top + (search.start != "random"))
            whom = (
                f"the best {asked.top} and the default"
                if search.start != "random"
                else f"the best {asked.top}"
            )
            self.line(
                "confirm",
                f"{whom} on {asked.seeds} fresh seeds each in the mean: "
                f"up to {words.count(most, 'trial')} more, each whole",
            )
        if self.spec.refit:
            self.line("refit", "the winner again, on training and validation rows: 1 trial more")
        if budget.time_s and (self.spec.confirm or self.spec.refit):
            half = words.duration(MOST * budget.time_s)
            self.line("", f"the end of a session's time is kept for this, at most {half}")
        if data is None:
            return
        fewest, most = self.steps(data.size("train"))
        steps = f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"
        measurements = words.count(min(report_steps_of(self.spec), most), "measurement")
        self.line("", f"{steps} steps a trial, {measurements}")

    def steps(self, rows: int) -> tuple[int, int]:
        """Optimizer steps of the shortest and of the longest trial."""
        (few, many), (small, large) = self.spec.space.ends("epochs"), self.spec.space.ends("batch_size")
        return int(few) * math.ceil(rows / large), int(many) * math.ceil(rows / small)

    def existing_study(self) -> Study | None:
        """The study that the search would continue, whose defaults are taken; None if it would create one."""
        study = find_existing_study(self.spec, study_folder(self.spec.study))
        if study is not None:
            self.spec = with_stored_defaults(self.spec, study)
        return study

    def so_far(self, study: Study, data_digest: str) -> None:
        """Prints how far the study is."""
        spec = self.spec
        require_same(study, spec.space, identity_of(spec, data_digest))
        done, total = sum(trial.state != "RUNNING" for trial in read_trials(study)), spec.budget.trials
        met = "; nothing is left to run; raise budget.trials to continue" if done >= total else ""
        verb = "is" if done == 1 else "are"
        self.line("so far", f"{done:,} of {words.count(total, 'trial')} {verb} done{met}")

    def learned(self, study: Study | None, rows: Rows, models: Sequence[ModelSummary]) -> None:
        """Prints what the study has learned from earlier studies, or would learn now."""
        spec = self.spec
        lessons = lessons_of(spec, rows, models)
        stored_start = read_start(study) if study else None
        start = stored_start or plan_start(spec, models[0].blocks, lessons)
        for i, line in enumerate(learned.lines(lessons, spec.search.sampler, start)):
            self.line("" if i else "learns", line)

    def resources(self) -> Precision:
        """Prints what a trial gets; returns the precision in which a new study would compute."""
        with (
            TemporaryDirectory() as folder,
            ray_runtime(self.spec.resources, Path(folder) / "ray.log") as runtime,
        ):
            each = f"{runtime.cpus_per_trial} CPU"
            if runtime.gpus_per_trial:
                each += f" and {runtime.gpus_per_trial:g} GPU"
            # The address may be a secret: `resources.address` takes environment variables.
            where = "this machine" if runtime.local else "the cluster at resources.address"
            self.line(
                "resources",
                f"{words.count(runtime.max_concurrent, 'trial')} at a time, each {each}, on {where}",
            )
            return runtime.precision(self.spec.resources.precision)

    def cache(
        self, study: Study | None, data: PreparedData, precision: Precision, blocks: Mapping[str, int]
    ) -> None:
        """Prints what is computed once, as decided for the study or as it would be now, and why not more."""
        spec, since = self.spec, ", as decided when the study began"
        plan = None if study is None else read_cache_plan(study)
        if plan is None:
            study_inputs, since = StudyInputs.of(spec, data), ""
            study_inputs = replace(study_inputs, models=tuple(resolve(ref) for ref in spec.models))
            plan = plan_cache(spec, study_inputs, precision, expected_passes(spec), study_folder(spec.study))
            plan = with_graphs(plan, spec, study_inputs, precision)
        self.line("cache", f"{cache_lines.headline(plan)}{since}")
        lengths = {each.max_length for each in plan.boundaries}
        for each in reversed(plan.boundaries):  # by depth
            where = [each.model] if len(blocks) > 1 else []
            where += [f"max_length {each.max_length}"] if len(lengths) > 1 else []
            depth = f"depth {', '.join(str(blocks[each.model] - read) for read in reversed(each.read_at))}"
            self.line("", f"{', '.join([*where, depth])}: {cache_lines.kept(each)}")
        for note in plan.notes:
            self.line("", note)
        for warning in plan.warnings:
            self.warn(warning)

    def tracking(self) -> None:
        tracking = self.spec.tracking
        takes = probe(tracking.uri, tracking.experiment or self.spec.study)
        self.line("tracking", f"{store.redact(store.resolve(tracking.uri))} {takes}")

    def writes(self) -> None:
        spec = self.spec
        self.line("writes", f"{study_folder(spec.study)}: logs, checkpoints, prepared data")
        if spec.search.storage:
            self.line("", f"{store.redact(spec.search.storage)}: the study")
        for path in written_by(spec):
            self.attempt("", partial(require_writable, path))
        experiment = spec.tracking.experiment or spec.study
        self.line("", f"MLflow experiment {experiment}, model {spec.register.name}")
