from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from autoft.errors import ModelError
from autoft.kernel.checkpoint import CheckpointWriter, load_checkpoint


def tensors() -> dict[str, torch.Tensor]:
    return {"a": torch.arange(6.0).reshape(2, 3).T, "b": torch.tensor(3)}


def save_checkpoint(found: dict[str, torch.Tensor], path: Path) -> None:
    writer = CheckpointWriter()
    writer.save(found, path)
    writer.finish()


def test_what_is_saved_comes_back_bit_for_bit(tmp_path):
    path = tmp_path / "trials" / "7.safetensors"
    save_checkpoint(tensors(), path)
    into = {name: torch.zeros_like(tensor) for name, tensor in tensors().items()}
    load_checkpoint(path, into)
    assert all(torch.equal(into[name], tensor) for name, tensor in tensors().items())


@pytest.mark.parametrize("where", ["autoft.kernel.checkpoint._write", "os.fsync"])
def test_a_write_that_fails_keeps_the_old_file_and_leaves_nothing_else(tmp_path, monkeypatch, where):
    path = tmp_path / "7.safetensors"
    save_checkpoint(tensors(), path)

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(where, full_disk)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint({"a": torch.zeros(1)}, path)
    assert [file.name for file in tmp_path.iterdir()] == ["7.safetensors"]
    assert set(load_file(path)) == {"a", "b"}


def test_what_changes_after_the_call_is_not_in_the_file(tmp_path):
    path, writer, found = tmp_path / "7.safetensors", CheckpointWriter(), torch.zeros(100_000)
    for value in range(5):
        found.fill_(value)
        writer.save({"a": found}, path)
        found.fill_(-1)
    writer.finish()
    assert load_file(path)["a"].unique().tolist() == [4]


@pytest.mark.parametrize(
    "into",
    [
        {"a": torch.zeros(3, 2)},
        {"a": torch.zeros(3, 2), "c": torch.tensor(3)},
        tensors() | {"b": torch.ones(1)},
    ],
    ids=["one missing", "other names", "other shape"],
)
def test_a_checkpoint_of_another_trial_is_refused(tmp_path, into):
    save_checkpoint(tensors(), tmp_path / "7.safetensors")
    with pytest.raises(ModelError, match="another model, number of labels or unfreeze_depth"):
        load_checkpoint(tmp_path / "7.safetensors", into)


def test_missing_and_damaged_files_are_told_apart(tmp_path):
    with pytest.raises(ModelError, match="no such checkpoint"):
        load_checkpoint(tmp_path / "7.safetensors", {})
    (tmp_path / "7.safetensors").write_bytes(b"cut short")
    with pytest.raises(ModelError, match="damaged"):
        load_checkpoint(tmp_path / "7.safetensors", {})
