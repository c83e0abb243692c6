import os
import time
from multiprocessing import get_context

import numpy as np
import pytest

from autoft.data.encoded import Encoded, Ragged, stored

WORDS = Ragged(np.array([5, 6, 7, 8, 9, 4], np.int32), np.array([0, 1, 4, 6]), fill=99)


def encoded():
    pixels = np.arange(3 * 2 * 4, dtype=np.uint8).reshape(3, 2, 4)
    tags = Ragged(np.array([0, -100, 2, 1, 0, 0], np.int8), WORDS.offsets, fill=-100)
    targets = {
        "labels": np.array([2, 0, 1], np.int32),
        "scores": np.array([0.5, 1, 2], np.float32),
        "tags": tags,
    }
    return Encoded({"input_ids": WORDS, "pixels": pixels}, targets, WORDS.lengths)


def never():
    raise AssertionError("it is encoded once more")


def test_rows_are_taken_in_any_order_and_padded_with_what_fills_them():
    assert WORDS.lengths.tolist() == [1, 3, 2] and len(WORDS) == 3
    rows = np.array([2, 0, 2])
    assert WORDS.at(rows).tolist() == [4, 5, 0, 4, 5]
    assert WORDS.padded(rows).tolist() == [[9, 4], [5, 99], [9, 4]]
    taken = encoded().take(rows)
    assert taken.inputs["input_ids"].values.tolist() == [9, 4, 5, 9, 4]
    assert taken.inputs["input_ids"].offsets.tolist() == [0, 2, 3, 5]
    assert taken.targets["labels"].tolist() == [1, 2, 1] and taken.lengths.tolist() == [2, 1, 2]
    assert len(WORDS.take(np.array([], int))) == 0


def test_the_file_gives_back_every_array_and_is_made_once(tmp_path):
    path = tmp_path / "rows.arrow"
    first, second = stored(path, encoded), stored(path, never)
    for found in (first, second):
        for name, array in {**encoded().inputs, **encoded().targets}.items():
            back = {**found.inputs, **found.targets}[name]
            if isinstance(array, Ragged):
                assert back.fill == array.fill and (back.offsets == array.offsets).all()
                back, array = back.values, array.values
            assert back.dtype == array.dtype and back.shape == array.shape and (back == array).all()
        assert found.lengths.tolist() == [1, 3, 2]
    values = second.inputs["input_ids"].values
    assert not values.flags.owndata and not values.flags.writeable  # mapped


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "other"])
def test_a_damaged_file_is_noticed_and_made_again(tmp_path, damage):
    path = tmp_path / "rows.arrow"
    ids = stored(path, encoded).inputs["input_ids"].values
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[content.find(ids.tobytes())] ^= 1
    damaged = {"cut": content[: len(content) // 2], "flip": content, "empty": b"", "other": b"ARROW1 or so"}
    path.unlink()  # the mapped file stays as it was
    path.write_bytes(damaged[damage])
    assert stored(path, encoded).inputs["input_ids"].values.tolist() == ids.tolist()


def slowly(path, log):
    def encode():
        with open(log, "a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(0.3)
        return encoded()

    stored(path, encode)


def test_only_one_worker_of_a_node_encodes(tmp_path):
    context = get_context("fork")  # cheap, and nothing has started a thread that matters here
    workers = [
        context.Process(target=slowly, args=(tmp_path / "rows.arrow", tmp_path / "log")) for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert len((tmp_path / "log").read_text().split()) == 1
