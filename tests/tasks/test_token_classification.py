"""Tags for words: metrics against seqeval's, and the place of a word's tag among a model's tokens."""

import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from scipy.stats import bootstrap
from seqeval.metrics import accuracy_score, f1_score, precision_score, recall_score
from transformers import CanineTokenizer

from autoft.data.batch import Batch, collate
from autoft.data.encoded import Ragged
from autoft.data.prepare import examine
from autoft.errors import DataError
from autoft.kernel.pretrained import load_pretrained
from autoft.spec.study import DataSpec, SplitSpec
from autoft.tasks.find import find_task
from autoft.tasks.predictions import predictions
from autoft.tasks.token_classification.words import load_word_tokenizer

from ..kernel.tiny import save_pretrained
from .tokenizers import KINDS, wordpiece
from .toys import VALUES, toy_rows

TASK = find_task("token-classification")
TARGETS = {"labels": ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]}
SPEC = DataSpec(inputs=("tokens",), target="tags")
BY_SEQEVAL = {
    "entity_f1": f1_score,
    "entity_precision": precision_score,
    "entity_recall": recall_score,
    "token_accuracy": accuracy_score,
}


def table(tokens, tags):
    """Rows of rows.arrow."""
    number = {label: i for i, label in enumerate(TARGETS["labels"])}
    return pa.table(
        {
            "input_0": pa.array(tokens, pa.large_list(pa.large_string())),
            "target": pa.array([[number[tag] for tag in row] for row in tags], pa.large_list(pa.int32())),
        }
    )


def answered(rows=120, right=0.8, seed=0):
    """Names of the tags of some rows, which break the rules of BIO here and there, and of the answers."""
    rng = np.random.default_rng(seed)
    labels = np.array(TARGETS["labels"])
    true = [labels[rng.choice(5, size=rng.integers(1, 9), p=[0.6, 0.1, 0.1, 0.1, 0.1])] for _ in range(rows)]
    given = [np.where(rng.random(len(row)) < right, row, rng.choice(labels, size=len(row))) for row in true]
    return [row.tolist() for row in true], [row.tolist() for row in given]


def ragged(rows):
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    return Ragged(np.array([each for row in rows for each in row], np.int32), offsets)


def as_arrays(true, given):
    """What the task takes, of a tokenizer that makes a token of each word and one on both sides."""
    number = {label: i for i, label in enumerate(TARGETS["labels"])}
    width = 2 + max(len(row) for row in true)
    tags = np.zeros((len(true), width), np.int64)
    for row, of_words in enumerate(given):
        # What is said of the special tokens does not count.
        tags[row, : len(of_words) + 2] = [1, *(number[tag] for tag in of_words), 1]
    encoded = {
        "tags": ragged([[number[tag] for tag in row] for row in true]),
        "words": ragged([[-1, *range(len(row)), -1] for row in true]),
    }
    return {"tags": tags, "finite": np.ones(len(true), bool)}, encoded


def test_metrics_are_those_of_seqeval():
    true, given = answered()
    assert set(BY_SEQEVAL) == set(TASK.spec.metrics)
    found = TASK.score(*as_arrays(true, given), TARGETS)
    assert found == pytest.approx({name: of(true, given) for name, of in BY_SEQEVAL.items()})


def test_an_entity_is_right_if_its_type_and_both_ends_are():
    true = [["B-LOC", "I-LOC", "O", "B-PER"], ["B-LOC", "B-LOC"]]
    given = [["B-LOC", "I-LOC", "O", "B-LOC"], ["B-LOC", "I-LOC"]]
    # One of four is found, and one of three that are given is right; four of six words are.
    assert TASK.score(*as_arrays(true, given), TARGETS) == pytest.approx(
        {"entity_f1": 2 / 7, "entity_precision": 1 / 3, "entity_recall": 1 / 4, "token_accuracy": 4 / 6}
    )


def test_without_any_entity_the_scores_are_0():
    rows = [["O", "O"]]
    assert TASK.score(*as_arrays(rows, rows), TARGETS) == {
        "entity_f1": 0, "entity_precision": 0, "entity_recall": 0, "token_accuracy": 1,
    }  # fmt: skip


@pytest.mark.parametrize("metric", BY_SEQEVAL)
def test_the_error_is_that_of_scipy_s_bootstrap(metric):
    true, given = answered()
    of = BY_SEQEVAL[metric]
    expected = bootstrap(
        (np.arange(len(true)),), lambda rows: of([true[i] for i in rows], [given[i] for i in rows]),
        vectorized=False, n_resamples=200, rng=1,
    ).standard_error  # fmt: skip
    # Of 100 draws against 200: sqrt(1 / 200 + 1 / 400) = 9 % apart, and three times that.
    assert TASK.error(metric, *as_arrays(true, given)) == pytest.approx(expected, rel=0.27)


@pytest.mark.parametrize("metric", BY_SEQEVAL)
def test_differences_are_of_both_models_on_the_same_rows(metric):
    (true, given), (_, better) = answered(), answered(right=0.9)  # the same seed: the same truth
    (other, encoded), (one, _) = as_arrays(true, given), as_arrays(true, better)
    found = TASK.differences(metric, (one, encoded), (other, encoded), 300)
    expected = BY_SEQEVAL[metric](true, better) - BY_SEQEVAL[metric](true, given)
    assert found.mean() == pytest.approx(expected, abs=4 * found.std() / math.sqrt(300) + 0.005)
    # Rows that are hard for the one are hard for the other.
    assert found.std() < TASK.error(metric, other, encoded)
    assert TASK.differences(metric, (one, encoded), (one, encoded), 10).tolist() == [0.0] * 10


def test_without_finite_answers_there_is_no_metric():
    true, given = answered(10)
    predicted, encoded = as_arrays(true, given)
    predicted["finite"][4] = False
    assert all(math.isnan(value) for value in TASK.score(predicted, encoded, TARGETS).values())
    assert TASK.error("entity_f1", predicted, encoded) is None
    logits = torch.zeros(2, 3, 5)
    logits[1, 2, 4] = math.nan
    assert TASK.predict({"logits": logits}, Batch({}, {}), TARGETS)["finite"].tolist() == [True, False]


SENTENCES = [["London", "is", "old"], ["Paris"], ["\u200b", "is", "Paris", "\u200b"]]
TAGS = [["B-LOC", "O", "O"], ["B-PER"], ["B-PER", "O", "B-LOC", "I-LOC"]]


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_token_of_a_word_has_its_tag_and_no_other_token_counts(tmp_path, kind):
    tokenizer = load_word_tokenizer(str(KINDS[kind](tmp_path)))
    encoded = TASK.encode(table(SENTENCES, TAGS), tokenizer, TARGETS, VALUES)
    ids, labels = encoded.inputs["input_ids"], encoded.targets["labels"]
    several = 0
    for row, (words, tags) in enumerate(zip(SENTENCES, TAGS, strict=True)):
        part = slice(ids.offsets[row], ids.offsets[row + 1])
        whole = tokenizer(words, is_split_into_words=True)
        assert ids.values[part].tolist() == whole["input_ids"]
        # Of each word by itself: how many tokens it has.
        sizes = [
            len(tokenizer([word], is_split_into_words=True, add_special_tokens=False)[0]) for word in words
        ]
        expected = [
            number
            for tag, size in zip(tags, sizes, strict=True)
            for number in [TARGETS["labels"].index(tag), *[-100] * (size - 1)][:size]
        ]
        special = np.isin(whole["input_ids"], tokenizer.all_special_ids)
        found = labels.values[part]
        assert found[~special].tolist() == expected
        assert (found[special] == -100).all()
        several += sum(size > 1 for size in sizes)
    assert several > 2  # words that are cut were among them
    zero_width = 0 if kind == "wordpiece" else 2  # which BERT's tokenizer leaves out
    assert TASK.weight(encoded.targets) == 6 + zero_width


@pytest.mark.parametrize("kind", ["gpt2", "roberta"])
def test_a_word_has_the_tokens_that_it_has_within_a_text(tmp_path, kind):
    tokenizer = load_word_tokenizer(str(KINDS[kind](tmp_path)))
    words = ["Paris", "is", "old", "is", "Paris"]
    assert tokenizer(words, is_split_into_words=True)["input_ids"] == tokenizer(" ".join(words))["input_ids"]
    tokenizer.save_pretrained(tmp_path / "again")  # as a winner's is
    again = load_word_tokenizer(str(tmp_path / "again"))
    assert again("Paris is")["input_ids"] == tokenizer("Paris is")["input_ids"]


def test_a_tokenizer_that_does_not_tell_words_apart_is_refused(tmp_path):
    CanineTokenizer().save_pretrained(tmp_path)
    with pytest.raises(
        OSError, match=r"CanineTokenizer does not say which word a token is of; .* fast tokenizer"
    ):
        load_word_tokenizer(str(tmp_path))


def right_answers(encoded):
    """What a model would say that is right wherever it is asked."""
    batch = collate(encoded, np.arange(len(encoded)))
    found = batch.targets["labels"].clamp(min=0)
    return {"tags": found.numpy(), "finite": np.ones(len(encoded), bool)}


def test_words_that_were_cut_off_or_have_no_token_count_as_misses(tmp_path):
    tokenizer = load_word_tokenizer(str(wordpiece(tmp_path)))
    whole = TASK.encode(table(SENTENCES, TAGS), tokenizer, TARGETS, {"max_length": 16})
    # Of the last row the tokenizer leaves out both ends: one name is not found, and one is cut in half.
    assert TASK.score(right_answers(whole), whole.targets, TARGETS) == pytest.approx(
        {
            "entity_f1": 2 * 2 / (4 + 3),
            "entity_precision": 2 / 3,
            "entity_recall": 2 / 4,
            "token_accuracy": 6 / 8,
        }
    )
    rows = table([["is", "is", "London", "Paris"]], [["O", "O", "B-LOC", "B-PER"]])
    cut = TASK.encode(rows, tokenizer, TARGETS, {"max_length": 5})  # room for [CLS] is is lon [SEP]
    assert cut.lengths.tolist() == [5]
    assert TASK.weight(cut.targets) == 3
    found = TASK.score(right_answers(cut), cut.targets, TARGETS)
    assert found == pytest.approx(
        {"entity_f1": 2 / 3, "entity_precision": 1, "entity_recall": 1 / 2, "token_accuracy": 3 / 4}
    )


def test_the_loss_is_the_sum_over_words_so_pieces_add_up_to_the_whole(tmp_path):
    tokenizer = load_word_tokenizer(str(wordpiece(tmp_path)))
    encoded = TASK.encode(table(SENTENCES, TAGS), tokenizer, TARGETS, VALUES)
    torch.manual_seed(0)
    logits = torch.randn(3, int(encoded.lengths.max()), 5)

    def summed(rows):
        batch = collate(encoded, np.array(rows))
        shown = logits[rows, : batch.targets["labels"].shape[1]]
        return TASK.loss({"logits": shown}, batch, {}).item()

    chances = logits.log_softmax(-1)
    labels = encoded.targets["labels"]
    by_hand = -sum(
        chances[row, place, label].item()
        for row in range(3)
        for place, label in enumerate(labels.values[labels.offsets[row] : labels.offsets[row + 1]])
        if label >= 0
    )
    assert summed([0, 1, 2]) == pytest.approx(by_hand, rel=1e-5)
    assert summed([1]) + summed([2, 0]) == pytest.approx(summed([0, 1, 2]), rel=1e-5)
    pieces = [TASK.weight(encoded.take(np.array(rows)).targets) for rows in ([1], [2, 0])]
    assert sum(pieces) == TASK.weight(encoded.targets) == 6
    guess = TASK.loss({"logits": torch.zeros_like(logits)}, collate(encoded, np.arange(3)), {}).item() / 6
    assert guess == pytest.approx(TASK.guess_loss(TARGETS), rel=1e-6)


@pytest.mark.parametrize("name", ["bert", "gpt2"])
def test_predictions_of_rows_of_any_length_are_those_of_each_alone(tmp_path, name):
    rows = toy_rows("token-classification")
    loaded = load_pretrained(save_pretrained(name, tmp_path), rows.targets, TASK, rows.tables["train"])
    few = rows.tables["train"]
    together, encoded = predictions(TASK, loaded.model, loaded.processor, few, rows.targets, VALUES)
    for row in range(len(few)):
        one = few.slice(row, 1)
        alone, _ = predictions(TASK, loaded.model, loaded.processor, one, rows.targets, VALUES)
        assert together["tags"][row, : encoded.lengths[row]].tolist() == alone["tags"][0].tolist()


def of_frames(train, **others):
    frames = {
        name: pd.DataFrame(rows, columns=["tokens", "tags"])
        for name, rows in {"train": train, **others}.items()
    }
    return examine(SPEC, TASK, frames)


def test_the_tags_are_o_and_two_of_each_type_whatever_occurs():
    data = of_frames(
        [(["a", "b"], ["I-ORG", " O "]), (["Rome"], ["B-LOC-city"])],
        validation=[(["x", "y", "z"], ["B-ORG", "I-ORG", "B-ORG"])],
    )
    assert data.targets == {"labels": ["O", "B-LOC-city", "I-LOC-city", "B-ORG", "I-ORG"]}
    assert data.counts == {"train": {"LOC-city": 1, "ORG": 1}, "validation": {"LOC-city": 0, "ORG": 2}}
    assert data.tables["train"]["target"].to_pylist() == [[4, 0], [1]]
    assert TASK.config_values(data.targets)["id2label"][4] == "I-ORG"


def test_types_that_look_alike_are_told():
    rows = [(["a"], ["B-ORG"]), (["b"], ["B-Org"])]
    (finding,) = of_frames(rows, validation=[(["c"], ["O"])]).findings
    assert "'ORG' in 1 row and 'Org' in 1 row" in str(finding)


def test_rare_types_are_in_every_split():
    rows = [([f"word{i}", "x"], ["B-OFTEN", "I-OFTEN" if i % 2 else "O"]) for i in range(100)]
    for place in (4, 50, 51):
        rows[place] = (["a", "b"], ["B-OFTEN", "B-RARE"])
    for seed in range(5):
        spec = DataSpec(inputs=("tokens",), target="tags", split=SplitSpec(seed=seed))
        counts = examine(spec, TASK, {"train": pd.DataFrame(rows, columns=["tokens", "tags"])}).counts
        assert [counts[split]["RARE"] for split in ("train", "validation", "test")] == [1, 1, 1]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "t.jsonl",
            '{"tokens": ["a"], "tags": ["O"]}\n{"tokens": ["a", "b"], "tags": ["O"]}\n',
            r"^t\.jsonl: line 2: column `tags` has 1 tags for 2 tokens in `tokens`",
        ),
        (
            "t.jsonl",
            '{"tokens": ["a"], "tags": ["LOC"]}\n',
            r"^t\.jsonl: line 1: column `tags` must hold tags O, B-NAME or I-NAME, got 'LOC'",
        ),
        ("t.conll", "a O\nb S-LOC\n", r"^t\.conll: line 1: .* got 'S-LOC' at token 'b'; write BIOES"),
        ("t.conll", "a O\n\nb O\nc\n", r"^t\.conll:4: a line must be a token and its tag, got 'c'"),
        (
            "t.jsonl",
            '{"tokens": [], "tags": []}\n',
            r"1 of 1 rows has an empty cell \(`tokens` in 1\): line 1",
        ),
        (
            "t.jsonl",
            '{"tokens": ["a", " "], "tags": ["O", "O"]}\n',
            r"line 1: .*`tokens`: element 2 .* empty",
        ),
        ("t.csv", 'tokens,tags\na b,"[""O"", ""O""]"\n', r"^t\.csv: line 2: column `tokens` must be a JSON"),
        ("t.conll", "a O\n\n" * 9, r"^t\.conll: column `tags` has no label in any training row"),
    ],
)
def test_what_is_no_row_of_tags_is_refused_with_its_line(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        examine(DataSpec(inputs=("tokens",), target="tags", path=tmp_path / name), TASK)


def test_a_type_that_train_lacks_is_refused_with_its_line(tmp_path):
    (tmp_path / "train.conll").write_text("Rome B-LOC\n")
    (tmp_path / "dev.conll").write_text("Rome B-LOC\n\nPeter B-PER\n")
    with pytest.raises(DataError, match=r"^dev\.conll: `PER` of column `tags` .* \(line 3\), so it cannot"):
        examine(DataSpec(inputs=("tokens",), target="tags", path=tmp_path), TASK)


def test_the_pipeline_gives_whole_words_and_where_they_stand(tmp_path):
    source = save_pretrained("bert", tmp_path)
    loaded = load_pretrained(source, TARGETS, TASK)
    pipeline = TASK.pipeline(loaded.model, loaded.processor)
    number = {label: i for i, label in enumerate(TARGETS["labels"])}
    wanted = {0: "B-LOC", 2: "B-PER", 3: "I-PER"}
    for given in ("red-blue or  green. word1", ["red-blue", "or", "green.", "word1"]):
        row = pipeline.preprocess(given)
        logits = torch.full((len(row["begins"]), 5), -9.0)
        for token, word in enumerate(row["begins"]):
            # What continues a word says something else, which does not count.
            logits[token, number[wanted.get(word, "O") if word >= 0 else "B-PER"]] = 9.0
        found = pipeline.postprocess({**row, "logits": logits})
        text = given if isinstance(given, str) else " ".join(given)
        assert [(each["entity_group"], each["word"]) for each in found] == [
            ("LOC", "red-blue"),
            ("PER", text[text.index("green") :]),
        ]
        assert all(text[each["start"] : each["end"]] == each["word"] for each in found)
        assert all(each["score"] > 0.99 for each in found)
    assert pipeline([""]) == [[]]
