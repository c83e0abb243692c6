"""What autoft has to find in each architecture, written down from its source in transformers.

Models are as small as their configurations allow; inputs are as the processor of each kind makes them.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
import transformers as hf

from ..kernel.tiny import ENCODER, IMAGE, TOKENS, VISION, WORDS, configs, tiny_inputs, tiny_tokenizer

MAKES_MORE = "all frozen blocks have to run"
UNLIKE = "what lies above takes more than hidden states from below"
OTHER_SHAPES = "a row's states are neither one for each of its tokens nor of one shape for all rows"
PADDING = "a row's states depend on how far its batch is padded"


@dataclass(frozen=True)
class Small:
    """A model of a few blocks."""

    config: hf.PreTrainedConfig
    kind: Any
    """Its class, or an Auto class."""

    def __call__(self, kind: Any = None, **values: Any) -> hf.PreTrainedModel:
        """The same each time; `kind` replaces its class and `values` those of its configuration."""
        torch.manual_seed(0)
        config, kind = copy.deepcopy(self.config), kind or self.kind
        config.update(values)
        model: hf.PreTrainedModel = kind.from_config(config) if hasattr(kind, "from_config") else kind(config)
        return model


@dataclass(frozen=True)
class Architecture:
    """How one is built, and what is to be found in it."""

    build: Small
    blocks: tuple[str, ...]
    """In forward order."""
    head: tuple[str, ...]
    """What each depth trains: the names of these parameters begin so."""
    shared: tuple[str, ...] = ()
    """Parameters that only `all` trains although they are registered in a block or in the head."""
    constants: tuple[str, ...] = ()
    """Parameters that nothing trains."""
    idle: tuple[str, ...] = ()
    """What of head and blocks no result depends on, although it is trained."""
    mixes_padding: bool = False
    """Whether a row is computed otherwise in a batch that is padded further."""
    drops: bool = True
    """Whether its blocks have dropout."""
    head_drops: bool = False
    refused: Mapping[int, str] = field(default_factory=dict)
    """By depth, why nothing can be stored below its trained blocks; at the others it can."""
    inputs: Callable[[hf.PreTrainedModel], dict[str, torch.Tensor]] = tiny_inputs


def layers(prefix: str, count: int = 3) -> tuple[str, ...]:
    return tuple(f"{prefix}.{i}" for i in range(count))


DECODER = {name: value for name, value in ENCODER.items() if name != "max_position_embeddings"}
ENCODER_DECODER = {
    "vocab_size": len(WORDS),
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "decoder_start_token_id": 0,
    "forced_eos_token_id": 2,
    **TOKENS,
}
T5 = {
    "vocab_size": len(WORDS),
    "d_model": 16,
    "d_kv": 8,
    "d_ff": 32,
    "num_layers": 2,
    "num_decoder_layers": 3,
    "num_heads": 2,
    "decoder_start_token_id": 0,
    **TOKENS,
}
SMALL = {"vocab_size": len(WORDS), "pad_token_id": 0, "num_labels": 3}
LAYERS = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32}
WAV2VEC2 = {
    **LAYERS,
    "conv_dim": (8, 8),
    "conv_stride": (5, 4),
    "conv_kernel": (10, 4),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
    "classifier_proj_size": 8,
    **IMAGE,
}
WHISPER = {
    **ENCODER_DECODER,
    "num_mel_bins": 8,
    "max_source_positions": 50,
    "max_target_positions": 20,
    "forced_eos_token_id": None,
}


CONFIGS = configs()


def made(kind: Any, config: hf.PreTrainedConfig) -> Small:
    return Small(config, kind)


def named(name: str) -> Small:
    images = name in VISION
    return Small(
        CONFIGS[name],
        hf.AutoModelForImageClassification if images else hf.AutoModelForSequenceClassification,
    )


def texts(config: hf.PreTrainedConfig) -> Small:
    return Small(config, hf.AutoModelForSequenceClassification)


def translation(model: hf.PreTrainedModel) -> dict[str, torch.Tensor]:
    target = tiny_tokenizer()(["blue word5", "green"], padding=True, return_tensors="pt")
    return {**tiny_inputs(model), "decoder_input_ids": target["input_ids"]}


def sounds(rows: int = 2) -> list[np.ndarray]:
    """A quarter of a second and less, at 16 kHz."""
    rng = np.random.default_rng(0)
    return [rng.standard_normal(4000 - 500 * row).astype(np.float32) for row in range(rows)]


def waves(model: hf.PreTrainedModel) -> dict[str, torch.Tensor]:
    processor = hf.Wav2Vec2FeatureExtractor(return_attention_mask=True)
    return dict(processor(sounds(), sampling_rate=16000, padding=True, return_tensors="pt"))


def log_mels(model: hf.PreTrainedModel) -> dict[str, torch.Tensor]:
    processor = hf.WhisperFeatureExtractor(feature_size=8, chunk_length=1)  # 100 frames, two a position
    return dict(processor(sounds(), sampling_rate=16000, return_tensors="pt"))


def dictation(model: hf.PreTrainedModel) -> dict[str, torch.Tensor]:
    target = tiny_tokenizer()(["blue word5", "green"], padding=True, return_tensors="pt")
    return {**log_mels(model), "decoder_input_ids": target["input_ids"]}


def spectrograms(model: hf.PreTrainedModel) -> dict[str, torch.Tensor]:
    processor = hf.ASTFeatureExtractor(num_mel_bins=16, max_length=32)
    return dict(processor(sounds(), sampling_rate=16000, return_tensors="pt"))


TEXT = {
    "bert": Architecture(
        named("bert"), layers("bert.encoder.layer"), ("bert.pooler.", "classifier."), head_drops=True
    ),
    "roberta": Architecture(
        named("roberta"), layers("roberta.encoder.layer"), ("classifier.",), head_drops=True
    ),
    "distilbert": Architecture(
        named("distilbert"),
        layers("distilbert.transformer.layer"),
        ("pre_classifier.", "classifier."),
        head_drops=True,
    ),
    "albert": Architecture(
        named("albert"),
        ("albert.encoder.albert_layer_groups.0.albert_layers.0",),  # one, run three times
        ("albert.pooler.", "classifier."),
        head_drops=True,
        refused={0: "one block runs 3 times"},
    ),
    "electra": Architecture(
        named("electra"), layers("electra.encoder.layer"), ("classifier.",), head_drops=True
    ),
    "deberta-v2": Architecture(  # relative positions and their norm lie beside the layers
        named("deberta-v2"), layers("deberta.encoder.layer"), ("pooler.", "classifier."), head_drops=True
    ),
    "modernbert": Architecture(
        named("modernbert"),
        layers("model.layers"),
        ("model.final_norm.", "head.", "classifier."),
        head_drops=True,
    ),
    "mpnet": Architecture(named("mpnet"), layers("mpnet.encoder.layer"), ("classifier.",), head_drops=True),
    "mobilebert": Architecture(
        named("mobilebert"),
        layers("mobilebert.encoder.layer"),
        ("mobilebert.pooler.", "classifier."),
        head_drops=True,
    ),
    "gpt2": Architecture(named("gpt2"), layers("transformer.h"), ("transformer.ln_f.", "score.")),
    "llama": Architecture(named("llama"), layers("model.layers"), ("model.norm.", "score.")),
    "mixtral": Architecture(named("mixtral"), layers("model.layers"), ("model.norm.", "score.")),
    "opt": Architecture(
        made(
            hf.AutoModelForSequenceClassification,
            hf.OPTConfig(**ENCODER, ffn_dim=32, word_embed_proj_dim=16),
        ),
        layers("model.decoder.layers"),
        ("model.decoder.final_layer_norm.", "score."),
    ),
    "gpt-neox": Architecture(
        made(hf.AutoModelForSequenceClassification, hf.GPTNeoXConfig(**DECODER)),
        layers("gpt_neox.layers"),
        ("gpt_neox.final_layer_norm.", "score."),
    ),
    "qwen3": Architecture(
        made(
            hf.AutoModelForSequenceClassification,
            hf.Qwen3Config(**DECODER, num_key_value_heads=1, head_dim=8),
        ),
        layers("model.layers"),
        ("model.norm.", "score."),
    ),
    "bart": Architecture(
        named("bart"),
        (*layers("model.encoder.layers", 1), *layers("model.decoder.layers", 2)),
        ("classification_head.",),
        head_drops=True,
    ),
    "t5": Architecture(
        named("t5"),
        (*layers("transformer.encoder.block"), *layers("transformer.decoder.block")),
        ("transformer.decoder.final_layer_norm.", "classification_head."),
        shared=("SelfAttention.relative_attention_bias.",),  # of the first block, for all of its stack
        head_drops=True,
        refused={5: MAKES_MORE},
    ),
    "umt5": Architecture(  # a table in each block
        named("umt5"),
        (*layers("transformer.encoder.block"), *layers("transformer.decoder.block")),
        ("transformer.decoder.final_layer_norm.", "classification_head."),
        head_drops=True,
    ),
    "xlnet": Architecture(
        texts(hf.XLNetConfig(d_model=16, n_layer=3, n_head=2, d_inner=32, **SMALL)),
        layers("transformer.layer"),
        ("sequence_summary.", "logits_proj."),
        head_drops=True,
        mixes_padding=True,  # its summary is the last position, be it padding
        refused=dict.fromkeys(range(3), UNLIKE),  # states of tokens, then rows
    ),
    "longformer": Architecture(
        texts(hf.LongformerConfig(**ENCODER | {"attention_window": 4, "max_position_embeddings": 64})),
        layers("longformer.encoder.layer"),
        ("classifier.",),
        head_drops=True,
        refused=dict.fromkeys(range(3), OTHER_SHAPES),  # it pads to a multiple of its window
    ),
    "canine": Architecture(  # characters, then every fourth, then characters
        texts(hf.CanineConfig(**LAYERS, num_labels=3)),
        (
            *layers("canine.initial_char_encoder.layer", 1),
            *layers("canine.encoder.layer"),
            *layers("canine.final_char_encoder.layer", 1),
        ),
        ("classifier.",),
        idle=("canine.final_char_encoder.layer.0.",),  # serves heads for each token
        head_drops=True,
        mixes_padding=True,
        refused={0: UNLIKE, **dict.fromkeys(range(1, 4), OTHER_SHAPES)},
    ),
    "openai-gpt": Architecture(
        texts(hf.OpenAIGPTConfig(n_embd=16, n_layer=3, n_head=2, n_positions=40, **SMALL)),
        layers("transformer.h"),
        ("score.",),
        refused=dict.fromkeys(range(3), "its blocks do not return their hidden states"),
    ),
    "fnet": Architecture(
        texts(hf.FNetConfig(hidden_size=16, num_hidden_layers=3, intermediate_size=32, **SMALL)),
        layers("fnet.encoder.layer"),
        ("fnet.pooler.", "classifier."),
        head_drops=True,
        mixes_padding=True,
        refused=dict.fromkeys(range(3), PADDING),
    ),
    "convbert": Architecture(
        texts(hf.ConvBertConfig(**ENCODER, embedding_size=16)),
        layers("convbert.encoder.layer"),
        ("classifier.",),
        head_drops=True,
        mixes_padding=True,
        refused=dict.fromkeys(range(3), PADDING),
    ),
}


def of_tokens(name: str, head: tuple[str, ...] = ("classifier.",), **changes: Any) -> Architecture:
    """What differs where a model has a head for each token: it drops, and there is no pooler."""
    return replace(TEXT[name], head=head, **{"head_drops": True, **changes})


OF_TOKENS = {
    **{
        name: of_tokens(name)
        for name in [
            "bert",
            "roberta",
            "distilbert",
            "albert",
            "electra",
            "deberta-v2",
            "mpnet",
            "mobilebert",
            "longformer",
            "convbert",
        ]
    },
    "canine": of_tokens("canine", idle=(), refused={1: OTHER_SHAPES}),
    "modernbert": TEXT["modernbert"],
    "gpt2": of_tokens("gpt2", ("transformer.ln_f.", "classifier.")),
    "llama": of_tokens("llama", ("model.norm.", "score.")),
    "mixtral": of_tokens("mixtral", ("model.norm.", "score.")),
    "gpt-neox": of_tokens("gpt-neox", ("gpt_neox.final_layer_norm.", "classifier.")),
    "qwen3": of_tokens("qwen3", ("model.norm.", "score.")),
    "t5": of_tokens(  # the encoder alone
        "t5",
        ("transformer.encoder.final_layer_norm.", "classifier."),
        blocks=layers("transformer.encoder.block"),
        refused={2: MAKES_MORE},
    ),
    "umt5": of_tokens(
        "umt5",
        ("transformer.encoder.final_layer_norm.", "classifier."),
        blocks=layers("transformer.encoder.block"),
    ),
    "xlnet": of_tokens("xlnet", head_drops=False, mixes_padding=False),
    "fnet": of_tokens("fnet", ("fnet.pooler.", "classifier."), idle=("fnet.pooler.",)),
}
"""Of the same models with a head for each token, where transformers has one."""
LANGUAGE = {
    "llama-lm": Architecture(
        made(hf.LlamaForCausalLM, hf.LlamaConfig(**ENCODER, num_key_value_heads=2)),
        layers("model.layers"),
        ("model.norm.", "lm_head."),
    ),
    "smollm": Architecture(  # its head is its embeddings
        made(
            hf.LlamaForCausalLM,
            hf.LlamaConfig(**ENCODER, num_key_value_heads=1, tie_word_embeddings=True),
        ),
        layers("model.layers"),
        ("model.norm.",),
    ),
    "t5-lm": Architecture(
        made(hf.T5ForConditionalGeneration, hf.T5Config(**T5)),
        (*layers("encoder.block", 2), *layers("decoder.block", 3)),
        ("decoder.final_layer_norm.",),
        shared=("SelfAttention.relative_attention_bias.",),
        refused={4: MAKES_MORE},
        inputs=translation,
    ),
    "bart-lm": Architecture(
        made(hf.BartForConditionalGeneration, hf.BartConfig(**ENCODER_DECODER, max_position_embeddings=40)),
        (*layers("model.encoder.layers", 2), *layers("model.decoder.layers", 3)),
        (),
        inputs=translation,
    ),
    "marian": Architecture(
        made(hf.MarianMTModel, hf.MarianConfig(**ENCODER_DECODER, max_position_embeddings=40)),
        (*layers("model.encoder.layers", 2), *layers("model.decoder.layers", 3)),
        (),
        constants=("model.encoder.embed_positions.", "model.decoder.embed_positions."),
        inputs=translation,
    ),
}
IMAGES = {
    "vit": Architecture(named("vit"), layers("vit.layers"), ("vit.layernorm.", "classifier.")),
    "swin": Architecture(  # stages of one and two; each ends with a smaller picture
        named("swin"),
        (*layers("swin.encoder.layers.0.blocks", 1), *layers("swin.encoder.layers.1.blocks", 2)),
        ("swin.layernorm.", "classifier."),
    ),
    "convnext": Architecture(
        named("convnext"),
        tuple(
            f"convnext.encoder.stages.{stage}.layers.{layer}"
            for stage, depth in enumerate((1, 2, 1, 1))
            for layer in range(depth)
        ),
        ("convnext.layernorm.", "classifier."),
        drops=False,
    ),
    "resnet": Architecture(
        named("resnet"),
        (*layers("resnet.encoder.stages.0.layers", 1), *layers("resnet.encoder.stages.1.layers", 2)),
        ("classifier.",),
        drops=False,
    ),
}
SOUNDS = {
    "wav2vec2": Architecture(
        made(hf.Wav2Vec2ForSequenceClassification, hf.Wav2Vec2Config(**WAV2VEC2)),
        layers("wav2vec2.encoder.layers"),
        ("projector.", "classifier."),  # its norm comes before the layers
        inputs=waves,
    ),
    "wav2vec2-ctc": Architecture(
        made(hf.Wav2Vec2ForCTC, hf.Wav2Vec2Config(**WAV2VEC2, do_stable_layer_norm=True)),
        layers("wav2vec2.encoder.layers"),
        ("wav2vec2.encoder.layer_norm.", "lm_head."),
        head_drops=True,
        inputs=waves,
    ),
    "whisper": Architecture(
        made(hf.WhisperForAudioClassification, hf.WhisperConfig(**WHISPER, **IMAGE, classifier_proj_size=8)),
        layers("encoder.layers", 2),
        ("encoder.layer_norm.", "projector.", "classifier."),
        constants=("encoder.embed_positions.",),
        inputs=log_mels,
    ),
    "whisper-lm": Architecture(
        made(hf.WhisperForConditionalGeneration, hf.WhisperConfig(**WHISPER)),
        (*layers("model.encoder.layers", 2), *layers("model.decoder.layers", 3)),
        ("model.decoder.layer_norm.",),
        constants=("model.encoder.embed_positions.",),
        inputs=dictation,
    ),
    "ast": Architecture(
        made(
            hf.ASTForAudioClassification,
            hf.ASTConfig(
                **LAYERS,
                **IMAGE,
                patch_size=8,
                frequency_stride=8,
                time_stride=8,
                max_length=32,
                num_mel_bins=16,
            ),
        ),
        layers("audio_spectrogram_transformer.layers"),
        ("audio_spectrogram_transformer.layernorm.", "classifier."),
        inputs=spectrograms,
    ),
}
WITHOUT_A_TASK = {**LANGUAGE, **IMAGES, **SOUNDS}
