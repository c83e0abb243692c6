"""Hostile input: each is refused with a clear error, nothing of it is executed, nothing secret is shown."""

import json
import os
import pickle
from pathlib import Path

import pytest
import torch

from autoft.errors import AutoftError, ModelError, SpecError, StudyError
from autoft.kernel.checkpoint import load_checkpoint
from autoft.kernel.pretrained import load_pretrained, resolve
from autoft.spec.read import read_spec
from autoft.study.storage import find_study
from autoft.tasks.find import find_task
from autoft.tracking.probe import probe

from .kernel.tiny import save_pretrained
from .main_job import run

FOR = {"labels": ["a", "b"]}, find_task("text-classification")
GOOD = {
    "study": "tickets",
    "task": "text-classification",
    "model": "org/name",
    "data": {"path": "rows.csv", "inputs": "text", "target": "label"},
    "objective": "macro_f1",
    "budget": {"trials": 2},
}
TOUCH = "touch {canary}"

YAML = {
    "python object": "study: !!python/object/apply:os.system ['{touch}']",
    "python new": "study: !!python/object/new:os.system ['{touch}']",
    "python name": "study: !!python/name:os.system",
    "python module": "study: !!python/module:os",
    "python tuple": "study: !!python/tuple [a, b]",
    "tag of its own": "study: !run '{touch}'",
    "include": "study: !include /etc/passwd",
    "tag of the whole": "!!python/object/apply:subprocess.check_output [['touch', '{canary}']]",
    "billion laughs": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9)),
    "list in itself": "study: &a [*a]",
    "deep nesting": "study: " + "[" * 20_000,
    "deep mapping": "study: " + "{{a: " * 5_000,
    "two documents": "study: a\n---\nstudy: b\n",
    "a key twice": "study: a\nstudy: b\n",
    "null byte": "study: a\0b\n",
    "not utf-8": b"study: \xff\xfe\n",
    "huge integer": "budget: {{trials: " + "9" * 5_000 + "}}",
    "infinite": "budget: {{trials: .inf}}",
    "huge float": "budget: {{trials: 1e999}}",
    "negative": "budget: {{trials: -1}}",
}


@pytest.mark.parametrize("name", YAML)
def test_a_file_that_is_more_than_data_is_refused(name, tmp_path):
    canary, raw = tmp_path / "canary", YAML[name]
    if isinstance(raw, str):
        raw = raw.format(touch=TOUCH.format(canary=canary), canary=canary).encode()
    rest = "\n".join(f"{key}: {json.dumps(value)}" for key, value in GOOD.items() if key.encode() not in raw)
    file = tmp_path / "space.yaml"
    file.write_bytes(raw + b"\n" + rest.encode() + b"\n")
    with pytest.raises(SpecError) as error:
        read_spec(file)
    assert len(str(error.value)) < 5_000
    assert not canary.exists()


VALUES = {
    "study: parent folder": {"study": "../outside"},
    "study: absolute": {"study": "/etc/cron.d/x"},
    "study: two dots": {"study": ".."},
    "study: hidden": {"study": ".ssh"},
    "study: folder": {"study": "a/b"},
    "study: backslash": {"study": "..\\outside"},
    "study: terminal codes": {"study": "a\x1b[2Jb"},
    "study: newline": {"study": "a\nb"},
    "study: null": {"study": "a\0b"},
    "study: reversed": {"study": "a\u202eb"},
    "study: long": {"study": "a" * 5_000},
    "study: shell": {"study": "$(touch canary)"},
    "model: shell": {"model": "org/name; touch canary"},
    "model: backticks": {"model": "`touch canary`"},
    "model: package and more": {"model": "package:name; touch canary"},
    "model: url": {"model": "https://example.com/model"},
    "model: null": {"model": "./a\0b"},
    "register: path": {"register": {"name": "../champion"}},
    "register: control": {"register": {"name": "a\x07b"}},
    "variable elsewhere": {"data": {**GOOD["data"], "path": "${HOME}/rows.csv"}},
    "unset variable": {"tracking": {"uri": "http://${NO_SUCH_VARIABLE}/"}},
    "storage: no url": {"search": {"storage": "/etc/passwd"}},
    "size: huge": {"resources": {"cache": "9" * 400 + "GB"}},
    "time: huge": {"budget": {"trials": 1, "time": "9999999d"}},
    "columns: control": {"data": {**GOOD["data"], "inputs": ["a"] * 50}},
    "space: code": {"space": {"learning_rate": "__import__('os').system('touch canary')"}},
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_that_would_reach_beyond_its_place_is_refused(name, workdir):
    with pytest.raises(SpecError) as error:
        read_spec({**GOOD, **VALUES[name]})
    message = str(error.value)
    assert len(message) < 2_000
    assert not any(ord(char) < 32 and char != "\n" for char in message)
    assert list(workdir.iterdir()) == []


@pytest.mark.parametrize("command", ["show", "best", "stop", "add", "sync"])
@pytest.mark.parametrize("name", ["../../etc", "/etc/passwd", "a;b", "..", "a\x1b[2Jb"])
def test_no_command_leaves_its_folder(command, name, workdir):
    extra = ["learning_rate=1e-4"] if command == "add" else []
    done = run(workdir, command, "--", name, *extra)
    assert (done.code, done.err.startswith("autoft: "), "Traceback" in done.err) == (1, True, False), done
    assert list(workdir.iterdir()) == []


class Evil:
    """Runs a command when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self):
        return os.system, (TOUCH.format(canary=self.canary),)


def test_weights_that_are_not_safetensors_are_refused_and_not_read(tmp_path):
    source = save_pretrained("bert", tmp_path / "bert")
    (tmp_path / "bert" / "model.safetensors").unlink()
    (tmp_path / "bert" / "pytorch_model.bin").write_bytes(pickle.dumps(Evil(tmp_path / "canary")))
    with pytest.raises(ModelError):
        load_pretrained(source, *FOR)
    assert not (tmp_path / "canary").exists()


def test_weights_in_another_format_are_read_where_the_request_allows_it(tmp_path, workdir):
    source = save_pretrained("bert", tmp_path / "bert")
    weights = load_pretrained(source, *FOR).model.base_model.state_dict()
    (tmp_path / "bert" / "model.safetensors").unlink()
    torch.save(weights, tmp_path / "bert" / "pytorch_model.bin")
    document = {**GOOD, "model": {"id": str(tmp_path / "bert"), "allow_pickle": True}}
    allowed = resolve(read_spec(document).models[0])
    loaded = load_pretrained(allowed, *FOR).model.base_model.state_dict()
    assert all(torch.equal(loaded[name], weights[name]) for name in weights)


CODE = """
import pathlib
pathlib.Path({canary!r}).touch()
from transformers import BertConfig, BertForSequenceClassification
class OwnConfig(BertConfig):
    model_type = "own"
class OwnModel(BertForSequenceClassification):
    config_class = OwnConfig
"""


@pytest.mark.parametrize("trusted", [False, True])
def test_code_that_comes_with_a_model_runs_only_where_the_request_names_it(trusted, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    save_pretrained("bert", tmp_path / "bert")
    config = json.loads((tmp_path / "bert" / "config.json").read_text())
    config |= {
        "model_type": "own",
        "auto_map": {
            "AutoConfig": "own.OwnConfig",
            "AutoModelForSequenceClassification": "own.OwnModel",
        },
    }
    (tmp_path / "bert" / "config.json").write_text(json.dumps(config))
    (tmp_path / "bert" / "own.py").write_text(CODE.format(canary=str(tmp_path / "canary")))
    model = {"id": str(tmp_path / "bert"), "trust_remote_code": True} if trusted else str(tmp_path / "bert")
    source = resolve(read_spec({**GOOD, "model": model}).models[0])
    if trusted:
        assert load_pretrained(source, *FOR).anatomy.blocks
    else:
        with pytest.raises(ModelError, match="Python code of its own"):
            load_pretrained(source, *FOR)
    assert (tmp_path / "canary").exists() == trusted


def test_a_checkpoint_that_is_a_pickle_is_refused_and_not_read(tmp_path):
    path = tmp_path / "trial.safetensors"
    path.write_bytes(pickle.dumps(Evil(tmp_path / "canary")))
    with pytest.raises(ModelError, match="damaged"):
        load_checkpoint(path, {})
    assert not (tmp_path / "canary").exists()


SECRET = "hunter2secret"
URLS = (
    f"postgresql://me:{SECRET}@127.0.0.1:1/studies",
    f"mysql+nothing://me:{SECRET}@127.0.0.1:1/studies",
    f"sqlite:////no/such/folder/x.db?password={SECRET}",
    f"no-url-at-all:{SECRET}@",
)


@pytest.mark.parametrize("url", URLS)
def test_the_password_of_a_storage_is_in_no_error(url, tmp_path):
    with pytest.raises(StudyError) as error:
        find_study("study", tmp_path, url)
    assert SECRET not in str(error.value)


def test_the_password_of_a_tracking_server_is_in_no_error(workdir):
    with pytest.raises(AutoftError) as error:
        probe(f"http://me:{SECRET}@127.0.0.1:1", "experiment")
    assert SECRET not in str(error.value)


def test_the_copy_of_a_request_holds_no_password(monkeypatch):
    monkeypatch.setenv("WHERE", f"http://me:{SECRET}@127.0.0.1:1")
    spec = read_spec({**GOOD, "tracking": {"uri": "${WHERE}"}})
    assert spec.tracking.uri == os.environ["WHERE"]
    assert SECRET not in spec.text
    spelled = read_spec({**GOOD, "tracking": {"uri": os.environ["WHERE"]}})
    assert SECRET not in spelled.text
