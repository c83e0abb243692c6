"""Architectures small enough to train in a blink, a tokenizer for their words, and a problem to learn."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
import transformers as hf
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from autoft.data.encoded import Encoded, Ragged
from autoft.data.files import file_digest, write_table
from autoft.kernel.blocks import Anatomy, find_blocks
from autoft.kernel.config import FineTuneConfig
from autoft.kernel.pretrained import ModelSource
from autoft.kernel.study_inputs import StudyInputs
from autoft.tasks.find import find_task

SPECIAL = ("[PAD]", "[BOS]", "[EOS]", "[UNK]")
COLORS = ("red", "green", "blue")
TARGETS = {"labels": list(COLORS)}
TASK = find_task("text-classification")
FILLER = tuple(f"word{i}" for i in range(30))
WORDS = (*SPECIAL, *COLORS, *FILLER)
TOKENS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
ENCODER = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 40,
    "vocab_size": len(WORDS),
    "num_labels": 3,
    **TOKENS,
}
IMAGE = {"num_labels": 3}


def configs() -> dict[str, hf.PreTrainedConfig]:
    """By name; three blocks each where nothing else is said."""
    return {
        "bert": hf.BertConfig(**ENCODER),
        "distilbert": hf.DistilBertConfig(
            vocab_size=len(WORDS), dim=16, n_layers=3, n_heads=2, hidden_dim=32, num_labels=3, **TOKENS
        ),
        "roberta": hf.RobertaConfig(**ENCODER),
        "deberta-v2": hf.DebertaV2Config(
            **ENCODER,
            relative_attention=True,
            pos_att_type=["c2p", "p2c"],
            position_buckets=8,
            norm_rel_ebd="layer_norm",
            share_att_key=True,
            position_biased_input=False,
        ),
        "gpt2": hf.GPT2Config(
            vocab_size=len(WORDS), n_embd=16, n_layer=3, n_head=2, n_positions=40, num_labels=3, **TOKENS
        ),
        "electra": hf.ElectraConfig(**ENCODER, embedding_size=8),
        "mpnet": hf.MPNetConfig(**ENCODER),
        "modernbert": hf.ModernBertConfig(**ENCODER, cls_token_id=1, sep_token_id=2),
        "albert": hf.AlbertConfig(**ENCODER, embedding_size=8),
        "llama": hf.LlamaConfig(**ENCODER, num_key_value_heads=2),
        "mixtral": hf.MixtralConfig(**ENCODER, num_key_value_heads=2, num_local_experts=3),
        "mobilebert": hf.MobileBertConfig(**ENCODER, embedding_size=16, intra_bottleneck_size=16),
        "bart": hf.BartConfig(
            vocab_size=len(WORDS),
            d_model=16,
            encoder_layers=1,
            decoder_layers=2,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=32,
            decoder_ffn_dim=32,
            max_position_embeddings=40,
            num_labels=3,
            decoder_start_token_id=2,
            forced_eos_token_id=2,
            **TOKENS,
        ),
        "t5": hf.T5Config(
            vocab_size=len(WORDS),
            d_model=16,
            d_kv=8,
            d_ff=32,
            num_layers=3,
            num_heads=2,
            num_labels=3,
            decoder_start_token_id=0,
            **TOKENS,
        ),
        "umt5": hf.UMT5Config(
            vocab_size=len(WORDS),
            d_model=16,
            d_kv=8,
            d_ff=32,
            num_layers=3,
            num_heads=2,
            num_labels=3,
            decoder_start_token_id=0,
            **TOKENS,
        ),
        "xlm": hf.XLMConfig(vocab_size=len(WORDS), emb_dim=16, n_layers=2, n_heads=2, num_labels=3),
        "vit": hf.ViTConfig(
            hidden_size=16,
            num_hidden_layers=3,
            num_attention_heads=2,
            intermediate_size=32,
            image_size=32,
            patch_size=8,
            **IMAGE,
        ),
        "convnext": hf.ConvNextConfig(
            hidden_sizes=[8, 16, 24, 32], depths=[1, 2, 1, 1], image_size=64, **IMAGE
        ),
        "resnet": hf.ResNetConfig(embedding_size=8, hidden_sizes=[16, 32], depths=[1, 2], **IMAGE),
        "swin": hf.SwinConfig(
            embed_dim=8, depths=[1, 2], num_heads=[1, 2], image_size=32, patch_size=4, window_size=4, **IMAGE
        ),
    }


VISION = ("vit", "convnext", "resnet", "swin")


def tiny_model(name: str, seed: int = 0, **changes: object) -> hf.PreTrainedModel:
    """With a head; `changes` replace values of its configuration."""
    torch.manual_seed(seed)
    auto = hf.AutoModelForImageClassification if name in VISION else hf.AutoModelForSequenceClassification
    config = configs()[name]
    config.update(changes)
    return auto.from_config(config)


def tiny_tokenizer() -> hf.PreTrainedTokenizerFast:
    backend = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.post_processor = processors.TemplateProcessing(
        single="[BOS] $A [EOS]",
        pair="[BOS] $A [EOS] $B:1 [EOS]:1",
        special_tokens=[("[BOS]", 1), ("[EOS]", 2)],
    )
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", bos_token="[BOS]", eos_token="[EOS]", unk_token="[UNK]"
    )


def tiny_inputs(model: hf.PreTrainedModel) -> dict[str, torch.Tensor]:
    """Two rows, as a tokenizer or an image processor makes them."""
    if model.main_input_name == "input_ids":
        return dict(
            tiny_tokenizer()(["red word1 word2 word3", "green word4"], padding=True, return_tensors="pt")
        )
    side = getattr(model.config, "image_size", 64)
    processor = hf.ViTImageProcessorPil(size={"height": side, "width": side})
    images = np.random.default_rng(0).integers(0, 256, (2, 70, 50, 3), np.uint8)
    return dict(processor(list(images), return_tensors="pt"))


def anatomy_of(model: hf.PreTrainedModel) -> Anatomy:
    """The blocks of a model for texts or images."""
    return find_blocks(model, tiny_inputs(model))


def save_pretrained(name: str, folder: Path) -> ModelSource:
    """A base model without any head, as hubs have them, with its tokenizer."""
    torch.manual_seed(0)
    hf.AutoModel.from_config(configs()[name]).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return ModelSource(name, str(folder))


def encoded_texts(rows: list[np.ndarray], labels: np.ndarray) -> Encoded:
    """Rows of token ids, padded with 0, as text classification has them."""
    lengths = np.array([len(row) for row in rows])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ids = Ragged(np.concatenate(rows).astype(np.int32), offsets)
    return Encoded({"input_ids": ids}, {"labels": np.asarray(labels, np.int32)}, lengths)


def encoded_images(pixels: np.ndarray) -> Encoded:
    """Of [n, 3, y, x], with a label each; a row counts as sixteen tokens."""
    n = len(pixels)
    labels = {"labels": np.arange(n, dtype=np.int32) % 3}
    return Encoded({"pixel_values": pixels.astype(np.float32)}, labels, np.full(n, 16))


def write_rows(folder: Path, train_rows: int = 48, validation_rows: int = 20, n_inputs: int = 1) -> Path:
    """Each row's label is the one color among its words."""
    rng = np.random.default_rng(0)
    rows = train_rows + validation_rows
    labels = rng.integers(len(COLORS), size=rows).astype(np.int32)
    texts = []
    for label in labels:
        words = list(rng.choice(FILLER, size=rng.integers(2, 9)))
        words.insert(int(rng.integers(len(words))), COLORS[label])
        texts.append(" ".join(words))
    columns = {"input_0": texts} | ({"input_1": list(reversed(texts))} if n_inputs == 2 else {})
    splits = ["train"] * train_rows + ["validation"] * validation_rows
    path = folder / "rows.arrow"
    write_table(pa.table({**columns, "target": pa.array(labels), "split": splits}), path)
    return path


def study_inputs(folder: Path, *sources: ModelSource, n_inputs: int = 1, cpus: int = 1) -> StudyInputs:
    rows = write_rows(folder, n_inputs=n_inputs)
    return StudyInputs(
        models=sources,
        rows=rows,
        rows_digest=file_digest(rows),
        targets=TARGETS,
        cache=folder / "cache",
        task_name="text-classification",
        cpus=cpus,
        values={"max_length": 16, "label_smoothing": 0.0},
    )


CONFIG = FineTuneConfig(
    model="bert",
    optimizer="adamw",
    learning_rate=1e-3,
    layer_decay=1.0,
    weight_decay=0.01,
    dropout=0.2,
    unfreeze_depth="all",
    batch_size=16,
    batching="random",
    epochs=2,
    early_stopping=0.0,
    warmup_ratio=0.1,
    lr_schedule="linear",
    max_grad_norm=1.0,
    measurements=3,
    objective="macro_f1",
    precision="fp32",
    seed=7,
    task_values={"max_length": 16, "label_smoothing": 0.0},
)


def config(**changes: object) -> FineTuneConfig:
    own = {name: changes.pop(name, value) for name, value in CONFIG.task_values.items()}
    return replace(CONFIG, **{"task_values": own, **changes})  # type: ignore[arg-type]
