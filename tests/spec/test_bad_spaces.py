"""Broken space.yaml files: what a person reads for each. Expected words are the contract with the user."""

import random
from pathlib import Path

import pytest

from autoft.errors import SpecError
from autoft.spec.read import read_spec

GOOD = """\
task: text-classification
model: org/name
data: {path: rows.csv, inputs: text, target: label}
objective: macro_f1
budget: {trials: 60}
"""
EXTRA = 6  # the line of what `extra` appends to GOOD


def problems(tmp_path: Path, content: str | bytes, *overrides: str) -> list[str]:
    """The problems of a file as lines of text, without the folder."""
    file = tmp_path / "space.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SpecError) as caught:
        read_spec(file, overrides)
    return str(caught.value).replace(f"{tmp_path}/", "").splitlines()


# What follows GOOD, and the one problem: its line, its path, words of the rule, the value and the fix.
EXTRAS = {
    "misspelled key at the top": ("serach: {seed: 1}", 6, "serach", "did you mean 'search'"),
    "key of another section": ("trials: 5", 6, "trials", "at the top", "did you mean budget.trials"),
    "hyperparameter at the top": ("epochs: 4", 6, "epochs", "did you mean space.epochs"),
    "unknown key without a near one": ("qqq: 1", 6, "qqq", "known are study, task, model"),
    "misspelled key of a section": ("search: {smapler: tpe}", 6, "search.smapler", "did you mean 'sampler'"),
    "unknown key of resources": ("resources:\n  cpu: 3", 7, "resources.cpu", "under resources"),
    "retries below 0": ("faults: {retries: -1}", 6, "faults.retries", "at least 0", "-1"),
    "timeout without a unit": ("faults: {trial_timeout: 5}", 6, "faults.trial_timeout", "with its unit"),
    "misspelled fault": ("faults: {retrys: 1}", 6, "faults.retrys", "did you mean 'retries'"),
    "confirmed on two seeds": ("confirm: {seeds: 2}", 6, "confirm.seeds", "at least 3", "got 2"),
    "confirmed with none": ("confirm:\n  top: 0", 7, "confirm.top", "at least 1", "got 0"),
    "misspelled key of confirm": ("confirm: {sedes: 4}", 6, "confirm.sedes", "did you mean 'seeds'"),
    "confirm that is no mapping": ("confirm: true", 6, "confirm", "must be a mapping", "for example"),
    "seeds at the top": ("seeds: 5", 6, "seeds", "did you mean confirm.seeds"),
    "breaker at 0": ("faults: {stop_after_failures: 0}", 6, "faults.stop_after_failures", "at least 1"),
    "disk without a unit": ("resources: {disk: 5}", 6, "resources.disk", "500MB", "got 5"),
    "section that is text": ("search: tpe", 6, "search", "must be a mapping, got 'tpe'", "for example"),
    "section that is a list": ("tracking: [a]", 6, "tracking", "must be a mapping, got ['a']"),
    "key given twice": ("task: text-classification", 6, "task", "once", "line 1", "remove"),
    "key of the space given twice": (
        "space:\n  dropout: 0.1\n  epochs: 3\n  dropout: 0.2",
        9,
        "space.dropout",
        "given once",
        "line 7",
    ),
    "merge key": ("space: {<<: {epochs: 3}}", 6, "space", "plain names as keys", "`<<`"),
    "a list as a key": ("space: {[a, b]: 3}", 6, "space", "plain names as keys", "a collection"),
    "tag": ("space: {dropout: !!python/name:os.system 1}", 6, "space.dropout", "plain YAML", "remove it"),
    "sampler misspelled": (
        "search: {sampler: tpee}",
        6,
        "search.sampler",
        "tpe, random, gp or qmc",
        "mean 'tpe'",
    ),
    "sampler as a list": ("search: {sampler: [tpe]}", 6, "search.sampler", "must be tpe, random", "['tpe']"),
    "pruner misspelled": ("search: {pruner: asha_halving}", 6, "search.pruner", "mean 'successive_halving'"),
    "pruner's name misspelled": (
        "search: {pruner: {name: medain}}",
        6,
        "search.pruner.name",
        "mean 'median'",
    ),
    "pruner without a name": ("search: {pruner: {min_resource: 2}}", 6, "search.pruner.name", "is required"),
    "option misspelled": (
        "search:\n  pruner:\n    name: median\n    n_startup_trails: 3",
        9,
        "search.pruner.n_startup_trails",
        "did you mean 'n_startup_trials'",
    ),
    "option of another pruner": (
        "search: {pruner: {name: none, min_resource: 2}}",
        6,
        "search.pruner.min_resource",
        "none has no options",
    ),
    "option too small": (
        "search: {pruner: {name: hyperband, reduction_factor: 1}}",
        6,
        "search.pruner.reduction_factor",
        "a whole number from 2",
        "got 1",
    ),
    "seed negative": ("search: {seed: -1}", 6, "search.seed", "at least 0, got -1"),
    "seed too big": ("search: {seed: 4294967296}", 6, "search.seed", "at most 4294967295"),
    "seed that is true": ("search: {seed: true}", 6, "search.seed", "whole number, got true"),
    "storage without a scheme": ("search: {storage: study.db}", 6, "search.storage", "a database URL"),
    "no name to learn from": ("search: {learn_from: [a, 3]}", 6, "search.learn_from", "a list of names", "3"),
    "a path to learn from": (
        "search: {learn_from: ../a}",
        6,
        "search.learn_from",
        "the name of a study",
        "'../a'",
    ),
    "learns twice": ("search: {learn_from: [a, a]}", 6, "search.learn_from", "twice", "['a', 'a']"),
    "learns from itself": (
        "study: a\nsearch: {learn_from: [b, a]}",
        7,
        "search.learn_from",
        "must name earlier studies, got 'a', which is this one",
        "another name",
    ),
    "learns from itself alone": ("search: {learn_from: space}", 6, "search.learn_from", "which is this one"),
    "no evaluations": (
        "search: {evaluations_per_epoch: 0}",
        6,
        "search.evaluations_per_epoch",
        "above 0, got 0",
    ),
    "variable that is not set": (
        "tracking:\n  uri: http://${AUTOFT_TEST_NOT_SET}",
        7,
        "tracking.uri",
        "AUTOFT_TEST_NOT_SET is not",
        "export",
    ),
    "variable where none is expanded": (
        "tracking: {experiment: '${HOME}'}",
        6,
        "tracking.experiment",
        "no environment variables",
        "only tracking.uri, search.storage, resources.address",
        "${HOME}",
    ),
    "study with a leading dot": ("study: .hidden", 6, "study", "does not start with a `.`", "'.hidden'"),
    "study with a slash": ("study: a/b", 6, "study", "letters, digits", "'a/b'"),
    "study that is a number": ("study: 7", 6, "study", "must be a name", "got 7"),
    "study too long": (f"study: {'a' * 101}", 6, "study", "at most 100"),
    "registered name with a colon": ("register: {name: 'a:b'}", 6, "register.name", "without `/`, `:` and"),
    "promoted sometimes": (
        "register: {promote: if_bettr}",
        6,
        "register.promote",
        "if_better",
        "always",
        "never",
        "did you mean 'if_better'?",
    ),
    "registered name with a quote": ("register: {name: o'neil}", 6, "register.name", "without `/`, `:` and"),
    "a nice that takes from others": ("resources: {nice: -5}", 6, "resources.nice", "at least 0, got -5"),
    "no CPU": ("resources: {cpus_per_trial: 0}", 6, "resources.cpus_per_trial", "at least 1, got 0"),
    "two GPUs for a trial": (
        "resources: {gpus_per_trial: 2}",
        6,
        "resources.gpus_per_trial",
        "a share of one GPU from 0 to 1, got 2",
        "a trial trains on one GPU",
    ),
    "GPU share negative": ("resources: {gpus_per_trial: -0.5}", 6, "resources.gpus_per_trial", "got -0.5"),
    "GPU listed twice": ("resources: {gpus: [0, 0]}", 6, "resources.gpus", "different GPU indices", "[0, 0]"),
    "GPUs as text": ("resources: {gpus: '0,1'}", 6, "resources.gpus", "a list", "such as [0, 1]", "'0,1'"),
    "precision unknown": ("resources: {precision: fp16}", 6, "resources.precision", "auto, fp32 or bf16"),
    "cache without a unit": (
        "resources: {cache: 20}",
        6,
        "resources.cache",
        "such as 500MB or 20GB",
        "got 20",
    ),
    "no checkpoint": ("checkpoints: {keep: 0}", 6, "checkpoints.keep", "at least 1, got 0"),
    "space that is a list": ("space: [dropout]", 6, "space", "must map hyperparameters to values"),
    "hyperparameter misspelled": (
        "space: {learning-rat: 1}",
        6,
        "space.learning-rat",
        "mean 'learning_rate'",
    ),
    "model in the space": ("space: {model: [a, b]}", 6, "space.model", "at the top"),
    "hyperparameter without a value": (
        "space:\n  dropout:",
        7,
        "space.dropout",
        "got nothing",
        "remove the key",
    ),
    "number in quotes": ("space: {learning_rate: '1e-5'}", 6, "space.learning_rate", "remove the quotes"),
    "number that is text": ("space: {dropout: high}", 6, "space.dropout", "from 0 to below 1", "'high'"),
    "number that is true": ("space: {epochs: true}", 6, "space.epochs", "a whole number", "got true"),
    "number above its bound": ("space: {dropout: 1}", 6, "space.dropout", "from 0 to below 1, got 1"),
    "number on its open bound": ("space: {learning_rate: 0}", 6, "space.learning_rate", "above 0", "got 0"),
    "number below its bound": ("space: {weight_decay: -0.1}", 6, "space.weight_decay", "got -0.1"),
    "not a number": ("space: {dropout: .nan}", 6, "space.dropout", "from 0 to below 1, got nan"),
    "infinite": ("space: {max_grad_norm: .inf}", 6, "space.max_grad_norm", "got inf"),
    "patience below 0": ("space: {early_stopping: -1}", 6, "space.early_stopping", "from 0 to 10000, got -1"),
    "patience that is a word": ("space: {early_stopping: none}", 6, "space.early_stopping", "got 'none'"),
    "patience in a list": ("space:\n  early_stopping: [0, 20000]", 7, "space.early_stopping[1]", "got 20000"),
    "too big a float": ("space: {batch_size: 1e30}", 6, "space.batch_size", "from 1 to 65536, got 1e+30"),
    "integer no float can hold": (f"space: {{epochs: {'9' * 390}}}", 6, "space.epochs", "whole number"),
    "too many digits": (
        f"space: {{epochs: {'9' * 5000}}}",
        6,
        "space.epochs",
        "fewer than 400 digits",
        "5000",
    ),
    "part of a row": ("space: {batch_size: 8.5}", 6, "space.batch_size", "a whole number", "8.5"),
    "choice misspelled": ("space: {lr_schedule: cosin}", 6, "space.lr_schedule", "did you mean 'cosine'"),
    "depth misspelled": ("space: {unfreeze_depth: al}", 6, "space.unfreeze_depth", "or all", "mean 'all'"),
    "depth negative": (
        "space:\n  unfreeze_depth:\n  - 0\n  - -1",
        9,
        "space.unfreeze_depth[1]",
        "from 0 to 1000, or all, got -1",
    ),
    "list in a list": ("space: {dropout: [[0.1]]}", 6, "space.dropout[0]", "a number", "got [0.1]"),
    "mapping in a list": ("space: {dropout: [{low: 0}]}", 6, "space.dropout[0]", "a number", "{low: 0}"),
    "list that is empty": ("space: {batch_size: []}", 6, "space.batch_size", "at least one value, got []"),
    "value listed twice": ("space: {batch_size: [16, 16.0]}", 6, "space.batch_size[1]", "once", "remove it"),
    "values that are no list": (
        "space: {dropout: {values: 3}}",
        6,
        "space.dropout.values",
        "a list",
        "got 3",
    ),
    "values that are empty": ("space: {dropout: {values: []}}", 6, "space.dropout.values", "not be empty"),
    "low above high": (
        "space: {learning_rate: {low: 0.1, high: 0.01}}",
        6,
        "space.learning_rate",
        "low must be below high, got low=0.1, high=0.01",
        "swap",
    ),
    "low equal to high": ("space: {epochs: {low: 3, high: 3}}", 6, "space.epochs", "low=3, high=3", "alone"),
    "high left out": ("space: {dropout: {low: 0.1}}", 6, "space.dropout.high", "is required"),
    "neither low nor high": (
        "space: {dropout: {when: {unfreeze_depth: 0}}}",
        6,
        "space.dropout",
        "must hold `low` and `high`, or `values`",
    ),
    "misspelled high": ("space: {dropout: {low: 0, hihg: 1}}", 6, "space.dropout.hihg", "mean 'high'"),
    "high out of bounds": (
        "space: {dropout: {low: 0, high: 1.5}}",
        6,
        "space.dropout.high",
        "below 1, got 1.5",
    ),
    "half epochs in a range": ("space: {epochs: {low: 1.5, high: 4}}", 6, "space.epochs.low", "got 1.5"),
    "low as text": ("space: {dropout: {low: '0', high: 0.4}}", 6, "space.dropout.low", "remove the quotes"),
    "log of zero": (
        "space: {dropout: {low: 0, high: 0.4, log: true}}",
        6,
        "space.dropout.low",
        "above 0 on a log scale, got low=0",
        "remove log",
    ),
    "log that is a number": (
        "space: {dropout: {low: 0.1, high: 0.4, log: 10}}",
        6,
        "space.dropout.log",
        "got 10",
    ),
    "step beside log": (
        "space: {dropout: {low: 0.1, high: 0.4, step: 0.1, log: true}}",
        6,
        "space.dropout.step",
        "beside `log: true`",
    ),
    "step of zero": (
        "space: {dropout: {low: 0, high: 0.4, step: 0}}",
        6,
        "space.dropout.step",
        "above 0, got 0",
    ),
    "step of half an epoch": (
        "space: {epochs: {low: 1, high: 3, step: 0.5}}",
        6,
        "space.epochs.step",
        "a whole number as epochs is",
    ),
    "step past high": (
        "space: {epochs: {low: 1, high: 3, step: 5}}",
        6,
        "space.epochs.step",
        "at most",
        "2",
        "5",
    ),
    "step that misses high": (
        "space: {dropout: {low: 0, high: 0.4, step: 0.15}}",
        6,
        "space.dropout.step",
        "whole steps",
        "high: 0.3 or 0.45",
    ),
    "range of names": ("space: {lr_schedule: {low: 0, high: 1}}", 6, "space.lr_schedule", "linear, cosine"),
    "condition that is text": (
        "space: {epochs: {low: 1, high: 3, when: unfreeze_depth}}",
        6,
        "space.epochs.when",
        "must map hyperparameters to values",
    ),
    "condition on itself": (
        "space: {epochs: {low: 1, high: 3, when: {epochs: 2}}}",
        6,
        "space.epochs.when.epochs",
        "another hyperparameter",
    ),
    "condition on an unknown name": (
        "space: {epochs: {low: 1, high: 3, unless: {unfreeze_dept: 0}}}",
        6,
        "space.epochs.unless.unfreeze_dept",
        "did you mean 'unfreeze_depth'",
    ),
    "condition on what is not searched": (
        "space: {epochs: {low: 1, high: 3, when: {lr_schedule: linear}}}",
        6,
        "space.epochs.when.lr_schedule",
        "'linear' by default",
        "search it",
    ),
    "condition on what is recommended": (
        "space: {dropout: {low: 0, high: 0.3, when: {batch_size: 32}}}",
        6,
        "space.dropout.when.batch_size",
        "batch_size has its recommended value by default",
        "search it",
    ),
    "condition on the kernel's own default of what is recommended": (
        "space: {lr_schedule: [linear, cosine], batch_size: {values: [8, 16], when: {lr_schedule: cosine}}, "
        "dropout: {low: 0, high: 0.3, when: {batch_size: 32}}}",
        6,
        "space.dropout.when.batch_size",
        "a value that batch_size can have (8 or 16), got 32",
    ),
    "condition on a value that cannot come": (
        "space: {unfreeze_depth: [0, 2, all], epochs: {low: 1, high: 3, when: {unfreeze_depth: [0, 3]}}}",
        6,
        "space.epochs.when.unfreeze_depth[1]",
        "(0, 2 or all), got 3",
    ),
    "condition on a depth that not every model has by default": (
        "space: {epochs: {low: 1, high: 3, when: {unfreeze_depth: [4, all]}}}",
        6,
        "space.epochs.when.unfreeze_depth[0]",
        "(0 or all), got 4; which others there are depends on the model: list them in space",
    ),
    "condition on a misspelled value": (
        "space: {lr_schedule: [linear, cosine], epochs: {low: 1, high: 3, when: {lr_schedule: liner}}}",
        6,
        "space.epochs.when.lr_schedule",
        "did you mean 'linear'",
    ),
    "condition on a range": (
        "space: {epochs: {low: 1, high: 3, when: {dropout: 0.2}}}",
        6,
        "space.epochs.when.dropout",
        "separate values",
        "make it a list",
    ),
    "condition that a fixed value breaks": (
        "space: {batch_size: 32, epochs: {low: 1, high: 3, when: {batch_size: 16}}}",
        6,
        "space.epochs.when.batch_size",
        "batch_size is 32",
        "remove the condition",
    ),
    "when and unless that contradict": (
        "space: {epochs: {low: 1, high: 3, when: {unfreeze_depth: 0}, unless: {unfreeze_depth: 0}}}",
        6,
        "space.epochs.when.unfreeze_depth",
        "must be able to hold",
    ),
    "conditions in a circle": (
        "space:\n  batch_size: {values: [16, 32], when: {epochs: 3}}\n"
        "  epochs: {values: [1, 3], when: {batch_size: 16}}",
        7,
        "space.batch_size",
        "batch_size -> epochs -> batch_size",
    ),
    "first that is a mapping": ("first: {dropout: 0.1}", 6, "first", "must be a list of mappings"),
    "first with nothing in it": ("first: [{}]", 6, "first[0]", "must map parameters to values", "got {}"),
    "first with an unknown name": ("first:\n- {dropuot: 1}", 7, "first[0].dropuot", "mean 'dropout'"),
    "first out of the domain": (
        "first:\n- {dropout: 0.1}\n- {dropout: 0.9}",
        8,
        "first[1].dropout",
        "(0 to 0.4), got 0.9",
        "widen space.dropout",
    ),
    "first out of bounds": ("first: [{dropout: 2}]", 6, "first[0].dropout", "from 0 to below 1, got 2"),
    "first with another fixed value": (
        "space: {epochs: 3}\nfirst: [{epochs: 4}]",
        7,
        "first[0].epochs",
        "fixed to 3",
    ),
    "first with what is not searched": (
        "first: [{epochs: 4}]",
        6,
        "first[0].epochs",
        "searched to be tried, but it has its recommended value",
    ),
    "first with what is not searched and has a known default": (
        "first: [{max_length: 64}]",
        6,
        "first[0].max_length",
        "not searched, it is 128",
    ),
    "first with the kernel's own default of what is recommended": (
        "first: [{batch_size: 32}]",
        6,
        "first[0].batch_size",
        "has its recommended value",
    ),
    "first that depends on a recommended value": (
        "space: {lr_schedule: [linear, cosine], epochs: {values: [2, 4], when: {lr_schedule: cosine}}, "
        "label_smoothing: {values: [0, 0.1], unless: {epochs: 4}}}\n"
        "first: [{lr_schedule: linear, label_smoothing: 0.1}]",
        7,
        "first[0].label_smoothing",
        "depends on epochs, which does not count here",
        "remove label_smoothing here",
    ),
    "first with an inactive parameter": (
        "space: {dropout: {low: 0, high: 0.4, unless: {unfreeze_depth: 0}}}\n"
        "first: [{unfreeze_depth: 0, dropout: 0.1}]",
        7,
        "first[0].dropout",
        "counts only unless unfreeze_depth is 0",
        "remove it",
    ),
    "first without the parent": (
        "space: {dropout: {low: 0, high: 0.4, unless: {unfreeze_depth: 0}}}\nfirst: [{dropout: 0.1}]",
        7,
        "first[0].dropout",
        "depends on unfreeze_depth",
        "set it",
    ),
    "first twice the same": (
        "first: [{dropout: 0.1}, {dropout: 0.1}]",
        6,
        "first[1]",
        "the same as first[0]",
    ),
}

# Instead of a line of GOOD: which, what stands there, and the problem.
REPLACED = {
    "unknown task": (1, "task: text-clasification", "task", "did you mean 'text-classification'"),
    "task that is a list": (1, "task: [a]", "task", "must be multi-label", "got ['a']"),
    "model with spaces": (2, "model: my model", "model", "a hub id such as org/name", "'my model'"),
    "model that is a number": (2, "model: 3", "model", "hub id", "got 3"),
    "no model": (2, "model: []", "model", "at least one model"),
    "model twice": (2, "model: [org/a, org/a]", "model[1]", "named twice", "'org/a'"),
    "model without an id": (2, "model: {revision: main}", "model.id", "is required"),
    "revision that is a number": (
        2,
        "model: {id: org/a, revision: 12}",
        "model.revision",
        "put it in quotes",
    ),
    "revision of a folder": (
        2,
        "model: {id: ./a, revision: x}",
        "model.revision",
        "for hub models",
        "remove it",
    ),
    "package without a name": (2, "model: 'package:'", "model", "package:NAME"),
    "data without columns": (
        3,
        "data: {path: a.csv, target: b}",
        "data.inputs",
        "is required",
        "inputs: text",
    ),
    "data without a target": (3, "data: {path: a.csv, inputs: b}", "data.target", "is required"),
    "data from nowhere": (3, "data: {inputs: a, target: b}", "data", "`path: rows.csv` or `hub: org/name`"),
    "data from two places": (
        3,
        "data: {path: a.csv, hub: o/d, inputs: a, target: b}",
        "data.hub",
        "beside `path`",
    ),
    "data that is a path": (3, "data: rows.csv", "data", "must be a mapping, got 'rows.csv'", "inputs: text"),
    "revision of a file": (
        3,
        "data: {path: a, revision: x, inputs: a, target: b}",
        "data.revision",
        "for hub",
    ),
    "three inputs": (
        3,
        "data: {path: a.csv, inputs: [a, b, c], target: d}",
        "data.inputs",
        "list of 2 for a pair",
    ),
    "input twice": (3, "data: {path: a.csv, inputs: [a, a], target: d}", "data.inputs", "a column twice"),
    "target that is an input": (
        3,
        "data: {path: a.csv, inputs: [a, b], target: b}",
        "data.target",
        "an input",
    ),
    "target that is a number": (
        3,
        "data: {path: a.csv, inputs: a, target: 3}",
        "data.target",
        "text, got 3",
        "quotes",
    ),
    "on_empty misspelled": (
        3,
        "data: {path: a, inputs: a, target: b, on_empty: dorp}",
        "data.on_empty",
        "error or drop",
        "did you mean 'drop'",
    ),
    "no rows to train on": (
        3,
        "data: {path: a, inputs: a, target: b, split: {validation: 0.5, test: 0.5}}",
        "data.split",
        "below 1",
        "validation=0.5, test=0.5",
    ),
    "no rows to compare on": (
        3,
        "data: {path: a, inputs: a, target: b, split: {validation: 0}}",
        "data.split.validation",
        "above 0, got 0",
    ),
    "split in percent": (
        3,
        "data: {path: a, inputs: a, target: b, split: {validation: 15}}",
        "data.split.validation",
        "below 1, got 15",
    ),
    "groups of the target": (
        3,
        "data: {path: a, inputs: a, target: b, split: {group: b}}",
        "data.split.group",
        "must not be the target",
    ),
    "unknown key of a split": (
        3,
        "data: {path: a, inputs: a, target: b, split: {startify: true}}",
        "data.split.startify",
        "did you mean 'stratify'",
    ),
    "metric misspelled": (4, "objective: macrof1", "objective", "did you mean 'macro_f1'"),
    "metric that is a list": (4, "objective: [macro_f1]", "objective", "must be text, got ['macro_f1']"),
    "no trials": (5, "budget: {trials: 0}", "budget.trials", "at least 1, got 0"),
    "negative trials": (5, "budget: {trials: -3}", "budget.trials", "at least 1, got -3"),
    "too many trials": (5, "budget: {trials: 1_000_000}", "budget.trials", "at most 100000, got 1000000"),
    "half a trial": (5, "budget: {trials: 2.5}", "budget.trials", "a whole number, got 2.5", "trials: 60"),
    "trials that are true": (5, "budget: {trials: true}", "budget.trials", "a whole number, got true"),
    "trials in quotes": (5, "budget: {trials: '60'}", "budget.trials", "remove the quotes"),
    "trials without a number": (5, "budget: {trials: }", "budget.trials", "is required"),
    "time without a unit": (
        5,
        "budget: {trials: 1, time: 8}",
        "budget.time",
        "with its unit, such as 8h",
        "got 8",
    ),
    "time with a word": (5, "budget: {trials: 1, time: 8 hours}", "budget.time", "such as 8h", "'8 hours'"),
    "no time": (5, "budget: {trials: 1, time: 0h}", "budget.time", "more than 0"),
    "endless time": (5, "budget: {trials: 1, time: 999999d}", "budget.time", "at most 366d"),
    "budget that is a number": (5, "budget: 60", "budget", "must be a mapping, got 60", "{trials: 60}"),
    "no budget": (5, "", "budget", "is required", "budget: {trials: 60}"),
    "no objective": (4, "", "objective", "is required", "objective: macro_f1"),
    "misspelled required key": (2, "modle: org/name", "modle", "did you mean 'model'"),
    "tab": (5, "budget:\n\ttrials: 60", "", "spaces, got a tab"),
    "bracket left open": (5, "budget: {trials: 60", "", "is not YAML", "expected ',' or '}'"),
    "colon without quotes": (4, "study: a: b", "", "is not YAML", "quotes"),
    "alias of nothing": (2, "model: *name", "", "is not YAML", "undefined alias"),
    "alias of what is around it": (
        3,
        "data: &d {path: a, inputs: a, target: *d}",
        "data.target",
        "hold itself",
    ),
    "second document": (5, "budget: {trials: 60}\n---\na: b", "", "one document", "`---`"),
}
# Where the problem is not on the line that was replaced.
LINES = {"no budget": 1, "no objective": 1, "tab": 6, "bracket left open": 5, "second document": 6}

# Whole files.
WHOLE: dict[str, tuple[bytes, str, str]] = {
    "empty": (b"", "space.yaml: must be a mapping", "got an empty file"),
    "comments only": (b"# nothing yet\n", "space.yaml: must be a mapping", "task, model, data"),
    "a list": (b"- task\n- model\n", "space.yaml:1: must be a mapping", "got ['task', 'model']"),
    "one word": (b"text-classification", "space.yaml:1: must be a mapping", "'text-classification'"),
    "Latin-1": (b"task: text-classification\nstudy: caf\xe9\n", "space.yaml:2: must be UTF-8", "0xe9"),
    "half of UTF-16": ("task: x\n".encode("utf-16")[:-1], "space.yaml:1: must be UTF-8", "save the file"),
    "UTF-16 without mark": ("task: x\n".encode("utf-16-le"), "space.yaml: is not YAML", "as UTF-8 text"),
    "null character": (b"task: \x00\n", "space.yaml: is not YAML", "UTF-8 text"),
    "thousands of brackets": (b"[" * 1500, "space.yaml: must not be nested", "deep"),
    "a data file": (
        b"text,label\n" * 100_000,
        "space.yaml: must be a space.yaml of less than",
        "a data file?",
    ),
}


@pytest.mark.parametrize("name", EXTRAS)
def test_what_is_added_is_told_with_line_path_rule_value_and_mend(tmp_path: Path, name: str) -> None:
    extra, line, path, *words = EXTRAS[name]
    found = problems(tmp_path, GOOD + str(extra) + "\n")
    assert len(found) == 1, found
    assert found[0].startswith(f"space.yaml:{line}: {path}: ")
    assert [word for word in words if str(word) not in found[0]] == []


@pytest.mark.parametrize("name", REPLACED)
def test_what_is_replaced_is_told_with_line_path_rule_value_and_mend(tmp_path: Path, name: str) -> None:
    line, text, path, *words = REPLACED[name]
    lines = GOOD.splitlines()
    lines[int(line) - 1] = str(text)
    found = problems(tmp_path, "\n".join(lines) + "\n")
    assert len(found) == 1, found
    assert found[0].startswith(f"space.yaml:{LINES.get(name, line)}: {path}{': ' if path else ''}")
    assert [word for word in words if word not in found[0]] == []


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_that_is_no_space_is_told_what_it_is(tmp_path: Path, name: str) -> None:
    content, start, word = WHOLE[name]
    (found,) = problems(tmp_path, content)
    assert found.startswith(start) and word in found


def test_aliases_of_aliases_end(tmp_path: Path) -> None:
    # Nine levels of nine: 9**9 values if every alias were followed.
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    found = problems(tmp_path, "\n".join(levels))
    assert any("must hold fewer than 20000 values" in line for line in found)


def test_all_problems_come_together_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = GOOD.replace("macro_f1", "f1").replace("60", "0").replace("path: rows.csv, ", "")
    text += (
        "space: {dropuot: 0.1, epochs: {low: 3, high: 1}}\nfirst: [{dropout: 0.9}]\nresources: {gpus: []}\n"
    )
    text += "tracking: {uri: '${AUTOFT_TEST_NOT_SET}'}\n"
    places = [line.split(": ")[:2] for line in problems(tmp_path, text, "search.sampler=tp")]
    assert places == [
        ["-o", "search.sampler"],
        ["space.yaml:3", "data"],
        ["space.yaml:4", "objective"],
        ["space.yaml:5", "budget.trials"],
        ["space.yaml:6", "space.dropuot"],
        ["space.yaml:6", "space.epochs"],
        ["space.yaml:7", "first[0].dropout"],
        ["space.yaml:8", "resources.gpus"],
        ["space.yaml:9", "tracking.uri"],
    ]


@pytest.mark.parametrize(
    ("override", "start", "word"),
    [
        ("budget.trials=0", "-o: budget.trials: ", "at least 1, got 0"),
        ("budget.trails=5", "-o: budget.trails: ", "did you mean 'trials'"),
        ("budget.trials", "-o: must look like budget.trials=5", "'budget.trials'"),
        ("=5", "-o: must look like budget.trials=5", "'=5'"),
        ("a..b=5", "-o: must look like budget.trials=5", "'a..b=5'"),
        ("data.inputs.name=x", "-o: data.inputs.name: ", "give data.inputs as a whole"),
        ("space.dropout={low: 0", "-o: space.dropout: is not YAML", "expected"),
        ("space.dropout={low: 0, low: 1}", "-o: space.dropout.low: must be given once", "remove one"),
        ("space.dropout={low: 0}", "-o: space.dropout.high: is required", ""),
        ("space.dropout.low=0", "-o: space.dropout.high: is required", ""),
        ("first.0.dropout=1", "-o: first: must be a list", ""),
    ],
)
def test_an_override_is_told_as_such(tmp_path: Path, override: str, start: str, word: str) -> None:
    (found,) = problems(tmp_path, GOOD, override)
    assert found.startswith(start) and word in found


def test_a_file_that_is_not_there_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(GOOD)
    with pytest.raises(SpecError, match=r"must be a file that exists.*did you mean '.*space\.yaml'"):
        read_spec(tmp_path / "spcae.yaml")
    with pytest.raises(SpecError, match="got a folder"):
        read_spec(tmp_path)
    with pytest.raises(SpecError, match="must be a file"):
        read_spec(str(tmp_path / "space.yaml" / "more.yaml"))
    with pytest.raises(SpecError):
        read_spec("a\0b")


def test_a_study_cannot_be_named_after_every_file(tmp_path: Path) -> None:
    file = tmp_path / "my space.yaml"
    file.write_text(GOOD)
    with pytest.raises(SpecError, match=r"study: .*'my space' from the file's name; add `study: my-study`"):
        read_spec(file)


def test_a_dict_is_told_its_paths_without_lines() -> None:
    document = {"task": "text-classification", "model": object(), "objective": 10**5000}
    with pytest.raises(SpecError) as caught:
        read_spec(document)
    found = str(caught.value).splitlines()
    assert any(line.startswith("space: model: must be a dict, list, text") for line in found)
    assert any(line.startswith("space: study: is required where there is no file") for line in found)
    assert any("thousands of digits" in line for line in found)


def test_secrets_stay_out_of_messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOFT_TEST_SECRET", "hunter2")
    (found,) = problems(tmp_path, GOOD + "search: {storage: '${AUTOFT_TEST_SECRET}'}\n")
    assert "a database URL" in found and "hunter2" not in found


SCRAPS: list[object] = [
    None, True, -1, 0, 1, 0.5, 10**400, float("nan"), float("inf"), "", "all", "1e-5", "${HOME}", "\n", "tpe",
    [], [[]], [None], [1, 1], {}, {"low": 1}, {"low": 0.1, "high": 0.2}, {"name": None},
    {"values": [0, "all"]},
    {"values": [1], "when": {"model": "org/name", "dropout": [[]]}}, {"when": None}, {"": {"": ""}},
]  # fmt: skip
NAMES = ["study", "task", "model", "data", "objective", "space", "first", "search", "budget", "resources"]
NAMES += [
    "tracking",
    "register",
    "path",
    "hub",
    "inputs",
    "target",
    "split",
    "trials",
    "time",
    "sampler",
    "pruner",
]
NAMES += [
    "storage",
    "uri",
    "gpus",
    "dropout",
    "epochs",
    "unfreeze_depth",
    "lr_schedule",
    "when",
    "low",
    "group",
]


def scramble(value: object, draw: random.Random) -> object:
    """`value` with parts of it replaced, dropped or moved."""
    if draw.random() < 0.08:
        return draw.choice(SCRAPS)
    if isinstance(value, dict):
        kept = {key: scramble(item, draw) for key, item in value.items() if draw.random() > 0.05}
        return {**kept, draw.choice(NAMES): draw.choice(SCRAPS)} if draw.random() < 0.3 else kept
    if isinstance(value, list):
        return [scramble(item, draw) for item in value]
    return value


def test_no_document_raises_anything_but_a_spec_error() -> None:
    whole: dict[str, object] = {
        "study": "a",
        "task": "text-classification",
        "model": ["org/name", {"id": "org/other", "revision": "main"}],
        "data": {"path": "a.csv", "inputs": ["a", "b"], "target": "c", "split": {"test": 0.1, "group": "d"}},
        "objective": "macro_f1",
        "space": {
            "dropout": {"low": 0, "high": 0.4, "step": 0.1},
            "lr_schedule": ["linear", "cosine"],
            "epochs": {"values": [1, 2], "when": {"lr_schedule": "cosine", "model": "org/name"}},
            "batch_size": {"low": 8, "high": 64, "log": True, "unless": {"epochs": [1, 2]}},
        },
        "first": [{"dropout": 0.1, "lr_schedule": "cosine", "model": "org/name", "epochs": 1}],
        "search": {
            "sampler": {"name": "gp", "n_startup_trials": 3},
            "pruner": "none",
            "storage": "sqlite:///a",
        },
        "budget": {"trials": 3, "time": "1h"},
        "resources": {"gpus": [0, 1], "gpus_per_trial": 0.5, "address": "auto"},
        "tracking": {"uri": "sqlite:///b"},
        "register": {"name": "a"},
    }
    read_spec(whole)
    refused = 0
    draw = random.Random(0)
    for _ in range(1500):
        document = scramble(whole, draw)
        try:
            read_spec(document if isinstance(document, dict) else whole)
        except SpecError:
            refused += 1
    assert refused > 1000  # most scrambles break something; none of them came out as another error
