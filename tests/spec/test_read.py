"""read_spec on files and dicts that are right: what they come to mean."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from autoft.spec.read import read_spec
from autoft.spec.recommended import recommended, with_recommended
from autoft.spec.space import Choice, Range
from autoft.spec.study import (
    Budget,
    Checkpoints,
    ModelRef,
    Register,
    Resources,
    SearchMethod,
    SplitSpec,
    Tracking,
    default_seed,
)

SHORT = """\
task: text-classification
model: sentence-transformers/all-MiniLM-L6-v2
data: {path: tickets.csv, inputs: text, target: queue}
objective: macro_f1
budget: {trials: 60}
"""


def write(tmp_path: Path, text: str, name: str = "space.yaml") -> Path:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return file


def test_the_short_form_searches_four_hyperparameters_and_is_named_after_its_file(tmp_path: Path) -> None:
    spec = read_spec(write(tmp_path, SHORT, "tickets-2024.yaml"))
    assert spec.study == spec.register.name == "tickets-2024"
    assert spec.models == (
        ModelRef("sentence-transformers/all-MiniLM-L6-v2", "hub", "sentence-transformers/all-MiniLM-L6-v2"),
    )
    assert spec.data.path == tmp_path / "tickets.csv"
    assert (spec.data.inputs, spec.data.target, spec.data.split) == (("text",), "queue", SplitSpec())
    # The four that are searched by default, in the registry's order, and marked so.
    assert [p.name for p in spec.space.parameters] == [
        "learning_rate",
        "unfreeze_depth",
        "dropout",
        "weight_decay",
    ]
    assert all(p.by_default and not p.conditions for p in spec.space.parameters)
    assert spec.space.parameters[0].domain == Range(1e-5, 1e-3, integer=False, log=True)
    assert spec.space.parameters[1].domain == Choice((0, "all"))  # until the model is known
    assert spec.space.fixed == {"model": "sentence-transformers/all-MiniLM-L6-v2"}
    assert (spec.budget, spec.resources, spec.tracking) == (Budget(60), Resources(), Tracking())
    # Options are resolved from the registries.
    assert spec.search == SearchMethod(
        sampler_options={"n_startup_trials": 10},
        pruner_options={"reduction_factor": 3, "min_resource": 0},
        seed=default_seed("tickets-2024"),
    )


def test_studies_of_different_names_have_different_seeds_and_each_always_the_same(tmp_path: Path) -> None:
    seeds = [
        read_spec(write(tmp_path, SHORT, f"{name}.yaml")).search.seed for name in ("one", "other", "one")
    ]
    assert seeds[0] == seeds[2] == default_seed("one") != seeds[1]
    assert read_spec(write(tmp_path, SHORT + "search: {seed: 0}\n", "one.yaml")).search.seed == 0


def test_a_mentioned_hyperparameter_is_not_searched_by_default(tmp_path: Path) -> None:
    spec = read_spec(
        write(tmp_path, SHORT + "space: {dropout: 0.2, learning_rate: {low: 1e-5, high: 1e-4}}\n")
    )
    assert spec.space.fixed["dropout"] == 0.2
    rate = spec.space.parameters[0]
    assert rate.domain == Range(1e-5, 1e-4, integer=False) and not rate.by_default
    assert [p.name for p in spec.space.parameters] == ["learning_rate", "unfreeze_depth", "weight_decay"]


def test_numbers_take_the_type_of_their_parameter(tmp_path: Path) -> None:
    # 1e-5 is text for YAML 1.1; `epochs` is whole whatever its literal; 017 is decimal in YAML 1.2.
    space = "{learning_rate: 1e-5, batch_size: 16.0, epochs: {low: 1.0, high: 4e0, step: 1.0}, dropout: 0, "
    space += "max_length: 017, unfreeze_depth: {low: 0, high: 6}, max_grad_norm: [0, 1]}"
    spec = read_spec(write(tmp_path, f"{SHORT}space: {space}\n"))
    assert spec.space.fixed["learning_rate"] == 1e-5
    assert repr(spec.space.fixed["batch_size"]) == "16" and repr(spec.space.fixed["dropout"]) == "0.0"
    assert spec.space.fixed["max_length"] == 17
    domains = {p.name: p.domain for p in spec.space.parameters}
    assert repr(domains["epochs"]) == repr(Range(1, 4, integer=True, step=1))
    assert domains["unfreeze_depth"] == Range(0, 6, integer=True)
    assert repr(domains["max_grad_norm"]) == "Choice(values=(0.0, 1.0))"


def test_the_order_of_lines_does_not_change_the_space(tmp_path: Path) -> None:
    one = read_spec(write(tmp_path, SHORT + "space: {epochs: [1, 2], batch_size: [8, 16], dropout: 0}\n"))
    other = read_spec(write(tmp_path, SHORT + "space: {dropout: 0, batch_size: [8, 16], epochs: [1, 2]}\n"))
    assert one.space == other.space


def test_models_are_hub_ids_folders_packages_and_revisions(tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    models = "[org/a, {id: org/a, revision: v1}, saved, ./not-yet, package:some-weights, ~/m]"
    spec = read_spec(write(tmp_path, SHORT.replace("sentence-transformers/all-MiniLM-L6-v2", models)))
    assert spec.models == (
        ModelRef("org/a", "hub", "org/a"),
        ModelRef("org/a@v1", "hub", "org/a", "v1"),
        ModelRef("saved", "folder", str(tmp_path / "saved")),
        ModelRef("./not-yet", "folder", str(tmp_path / "not-yet")),
        ModelRef("package:some-weights", "package", "some-weights"),
        ModelRef("~/m", "folder", str(Path.home() / "m")),
    )
    assert spec.space.parameters[0].domain == Choice(tuple(model.name for model in spec.models))
    assert "model" not in spec.space.fixed
    assert spec.model("org/a@v1").revision == "v1"


def test_conditions_on_several_and_on_nested_parents(tmp_path: Path) -> None:
    space = """\
space:
  lr_schedule: [linear, cosine]
  max_length: {values: [32, 64], when: {lr_schedule: cosine}}
  batch_size:
    low: 8
    high: 64
    log: true
    when: {max_length: [64, 128], unfreeze_depth: all}
    unless: {max_length: 128}
"""
    spec = read_spec(write(tmp_path, SHORT + space))
    names = [p.name for p in spec.space.parameters]
    assert names.index("lr_schedule") < names.index("max_length") < names.index("batch_size")
    batch = next(p for p in spec.space.parameters if p.name == "batch_size")
    base = {"lr_schedule": "cosine", "max_length": 64, "unfreeze_depth": "all"}
    assert spec.space.active(batch, base)
    assert not spec.space.active(batch, {**base, "unfreeze_depth": 0})
    assert not spec.space.active(batch, {**base, "max_length": 32})
    # An inactive parent has its default: max_length 128, which `when` allows and `unless` does not.
    assert not spec.space.active(batch, {"lr_schedule": "linear", "unfreeze_depth": "all"})


def test_unless_may_name_all_values_of_a_parent_that_has_its_recommended_value_where_it_does_not_count(
    tmp_path: Path,
) -> None:
    space = """\
space:
  lr_schedule: [linear, cosine]
  epochs: {values: [2, 6], when: {lr_schedule: cosine}}
  label_smoothing: {values: [0, 0.1], unless: {epochs: [2, 6]}}
"""
    spec = read_spec(write(tmp_path, SHORT + space))
    smoothing = next(p for p in spec.space.parameters if p.name == "label_smoothing")
    fitted = with_recommended(spec.space, recommended(rows=2_000, labels=4, parameters=110_000_000))
    assert fitted.active(smoothing, {"lr_schedule": "linear"})  # 5 epochs
    assert not fitted.active(smoothing, {"lr_schedule": "cosine", "epochs": 6})


def test_first_keeps_what_is_searched_and_leaves_the_rest_to_the_sampler(tmp_path: Path) -> None:
    text = SHORT + "space: {epochs: 6}\nfirst:\n- {learning_rate: 2e-5, unfreeze_depth: all, epochs: 6}\n"
    assert read_spec(write(tmp_path, text)).first == ({"learning_rate": 2e-5, "unfreeze_depth": "all"},)


def test_first_may_set_a_nested_parameter_with_its_parents(tmp_path: Path) -> None:
    space = "space: {lr_schedule: [linear, cosine], epochs: {values: [2, 4], when: {lr_schedule: cosine}}, "
    space += "batch_size: {values: [8, 16], when: {epochs: 4}}}\n"
    first = "first: [{batch_size: 8, epochs: 4, lr_schedule: cosine}]\n"
    (entry,) = read_spec(write(tmp_path, SHORT + space + first)).first
    assert entry == {"batch_size": 8, "epochs": 4, "lr_schedule": "cosine"}


def test_overrides_replace_reach_into_lists_and_make_what_is_missing(tmp_path: Path) -> None:
    file = write(tmp_path, SHORT + "first: [{dropout: 0.1}]\nspace: {epochs: {low: 1, high: 4}}\n")
    overrides = ["budget.trials=5", "space.learning_rate=[1e-5, 3e-5]", "first.0.dropout=0.3", "study=a=b"]
    with pytest.raises(Exception, match="'a=b'"):
        read_spec(file, overrides)
    spec = read_spec(file, [*overrides[:3], "space.epochs.high=8", "search.pruner={name: median}"])
    assert spec.budget.trials == 5
    assert spec.first == ({"dropout": 0.3},)
    domains = {p.name: p.domain for p in spec.space.parameters}
    assert domains["learning_rate"] == Choice((1e-5, 3e-5)) and domains["epochs"] == Range(1, 8, integer=True)
    assert spec.search.pruner == "median"
    assert spec.search.pruner_options == {"n_startup_trials": 5, "n_warmup_steps": 0}


def test_everything_else_is_read_as_written(tmp_path: Path) -> None:
    text = """\
study: night
task: text-classification
model: org/name
data:
  hub: org/rows
  revision: v2
  config: en
  inputs: [question, answer]
  target: good
  split: {validation: 0.2, test: 0, stratify: false, group: user, seed: 1}
  on_empty: drop
  on_leak: warn
objective: log_loss
search: {sampler: {name: gp, n_startup_trials: 4}, pruner: none, seed: 7, evaluations_per_epoch: 2}
budget: {trials: 9, time: 1h30m}
resources:
  {cpus_per_trial: 2, gpus_per_trial: 0.5, gpus: [1, 3], max_concurrent: 4, precision: bf16, cache: 500MB,
   nice: 10, cuda_graphs: true}
checkpoints: {keep: 5}
tracking: {uri: "http://localhost:5000", experiment: nights}
register: {name: night model, promote: never}
"""
    spec = read_spec(write(tmp_path, text))
    assert spec.data.split == SplitSpec(0.2, 0, False, "user", 1)
    assert (spec.data.path, spec.data.hub, spec.data.revision, spec.data.config) == (
        None,
        "org/rows",
        "v2",
        "en",
    )
    assert (spec.data.inputs, spec.data.on_empty) == (("question", "answer"), "drop")
    assert spec.data.on_leak == "warn"
    assert spec.search == SearchMethod(
        "gp", {"n_startup_trials": 4}, "none", {}, seed=7, evaluations_per_epoch=2.0
    )
    assert spec.budget == Budget(9, 5400.0)
    assert spec.resources == Resources(
        2, 0.5, (1, 3), 4, None, "bf16", 500_000_000, nice=10, cuda_graphs=True
    )
    assert spec.checkpoints == Checkpoints(5)
    assert spec.tracking == Tracking("http://localhost:5000", "nights")
    assert (spec.study, spec.register, spec.objective) == (
        "night",
        Register("night model", "never"),
        "log_loss",
    )


def test_secrets_are_expanded_for_the_run_and_stay_out_of_the_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOFT_TEST_PASSWORD", "hunter2")
    text = SHORT + 'search: {storage: "postgresql://me:${AUTOFT_TEST_PASSWORD}@db/autoft"}\n'
    text += 'tracking: {uri: "https://${AUTOFT_TEST_PASSWORD}:x1y2@mlflow"}\n'
    text += 'resources: {address: "${AUTOFT_TEST_PASSWORD}:6379"}\n'
    spec = read_spec(write(tmp_path, text))
    assert spec.search.storage == "postgresql://me:hunter2@db/autoft"
    assert spec.tracking.uri == "https://hunter2:x1y2@mlflow"
    assert spec.resources.address == "hunter2:6379"
    assert "hunter2" not in spec.text and "x1y2" not in spec.text
    assert "${AUTOFT_TEST_PASSWORD}:6379" in spec.text


def test_no_part_of_a_secret_that_is_written_out_is_in_the_text(tmp_path: Path) -> None:
    text = SHORT + 'search: {seed: 5, storage: "sqlite:///pw2-study.db?password=s3cretB"}\n'
    text += 'tracking: {uri: "http://me:s3c@ret/B:x@h:5", experiment: "http://a:b@c"}\n'
    text += 'resources: {address: "ray://s3cretB@h:5"}\n'
    spec = read_spec(write(tmp_path, text))
    assert spec.search.storage == "sqlite:///pw2-study.db?password=s3cretB"
    assert "s3c" not in spec.text and "ret/B" not in spec.text
    for shown in ("password=***", "http://me:***@h:5", "ray://***@h:5", "seed: 5", "http://a:b@c"):
        assert shown in spec.text


def test_the_text_is_a_space_that_means_the_same(tmp_path: Path) -> None:
    text = SHORT + "space: {dropout: {low: 0, high: 0.4}, learning_rate: [1e-5, 3.0e-5]}\nsearch:\n"
    spec = read_spec(write(tmp_path, text, "named.yaml"), ["budget.trials=3", "data.target='017'"])
    again = read_spec(write(tmp_path, spec.text, "other-name.yaml"))
    assert again == spec
    assert spec.study == "named" and spec.data.target == "017" and spec.budget.trials == 3


def test_a_dict_means_the_same_as_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = {
        "study": "space",
        "task": "text-classification",
        "model": "sentence-transformers/all-MiniLM-L6-v2",
        "data": {"path": Path("tickets.csv"), "inputs": ("text",), "target": "queue"},
        "objective": "macro_f1",
        "budget": {"trials": 60},
    }
    monkeypatch.chdir(tmp_path)
    from_dict = read_spec(document)
    from_file = read_spec(write(tmp_path, SHORT))
    # The text differs in how the one column is written.
    assert replace(from_dict, text="") == replace(from_file, text="")
    assert isinstance(document["data"]["path"], Path)  # type: ignore[index]  # the caller's dict is untouched


def test_rows_in_memory_need_no_path(tmp_path: Path) -> None:
    text = re.sub("path: tickets.csv, ", "", SHORT)
    spec = read_spec(write(tmp_path, text), in_memory_data=True)
    assert (spec.data.path, spec.data.hub, spec.data.inputs) == (None, None, ("text",))


def test_a_byte_order_mark_and_a_tagged_date_are_harmless(tmp_path: Path) -> None:
    file = write(tmp_path, "\ufeffstudy: 2024-01-31\n" + SHORT)
    assert read_spec(str(file)).study == "2024-01-31"


@pytest.mark.parametrize(
    ("mark", "encoding"), [("", "utf-16"), ("\ufeff", "utf-16-be"), ("\ufeff", "utf-16-le")]
)
def test_utf_16_with_its_mark_is_read_as_yaml_has_it(tmp_path: Path, mark: str, encoding: str) -> None:
    """As PowerShell writes it."""
    expected = read_spec(write(tmp_path, SHORT))
    (tmp_path / "space.yaml").write_bytes((mark + SHORT).encode(encoding))
    assert read_spec(tmp_path / "space.yaml") == expected


@pytest.mark.parametrize(
    ("written", "names"), [("[a, b-2]", ("a", "b-2")), ("a", ("a",)), ("[]", ()), ("", ())]
)
def test_earlier_studies_are_a_list_or_one_name(written: str, names: tuple[str, ...], tmp_path: Path) -> None:
    spec = read_spec(write(tmp_path, f"{SHORT}search: {{learn_from: {written}}}\n"))
    assert spec.search.learn_from == names
    assert read_spec(write(tmp_path, spec.text)).search == spec.search
