"""Does attention build a plan for each new shape, in a trial's time? With cuDNN's kernel and without it.

Text, vision and speech, with an explicit mask where there is one. Each shape is new to the process: a first
step is told beside the steps after it. The very first shape of a process counts as start-up.
"""

import time
from collections.abc import Callable, Iterator

import torch
import transformers as hf
from torch import nn

ROWS = 16
DROPOUT = (0.1, 0.2)
BLOCKS = {"hidden_size": 384, "num_hidden_layers": 6, "intermediate_size": 1536}
"""Of MiniLM's size, for every kind."""


def main() -> None:
    """Milliseconds of a first and of a later step at a new shape, for each kind of model."""
    print(torch.__version__, hf.__version__, torch.cuda.get_device_name())
    for cudnn in (False, True):
        torch.backends.cuda.enable_cudnn_sdp(cudnn)
        for kind, (make, shapes) in KINDS.items():
            for dropout in DROPOUT:
                torch.manual_seed(0)
                step = stepper(make(dropout).cuda().train())
                seconds = [timed(step, batch) for batch in shapes()]
                first, later = zip(*seconds[1:], strict=True)
                print(
                    f"cudnn={cudnn!s:5} {kind:6} dropout={dropout}: start-up {seconds[0][0]:5.0f} ms;"
                    f" a new shape {max(first):5.0f} at most, {sum(first) / len(first):5.0f} in the mean;"
                    f" then {min(later):5.1f}"
                )


def stepper(model: nn.Module) -> Callable[[dict[str, torch.Tensor]], None]:
    """One step in bf16, as a trial takes it."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)

    def step(batch: dict[str, torch.Tensor]) -> None:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = model(**batch).logits.float().square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def timed(
    step: Callable[[dict[str, torch.Tensor]], None], batch: dict[str, torch.Tensor]
) -> tuple[float, float]:
    """Milliseconds of the first step and of the third."""
    milliseconds = []
    for _ in range(3):
        torch.cuda.synchronize()
        began = time.perf_counter()
        step(batch)
        torch.cuda.synchronize()
        milliseconds.append((time.perf_counter() - began) * 1e3)
    return milliseconds[0], milliseconds[2]


def text(dropout: float) -> nn.Module:
    """MiniLM's shape."""
    return hf.AutoModelForSequenceClassification.from_config(
        hf.BertConfig(
            num_attention_heads=12,
            **BLOCKS,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
        ),
        attn_implementation="sdpa",
    )


def texts() -> Iterator[dict[str, torch.Tensor]]:
    """Padded to lengths that grow by 8."""
    for length in range(16, 72, 8):
        mask = torch.ones(ROWS, length, dtype=torch.long, device="cuda")
        mask[::2, length // 2 :] = 0
        yield {"input_ids": torch.randint(5, 30000, (ROWS, length), device="cuda"), "attention_mask": mask}


def vision(dropout: float) -> nn.Module:
    """A ViT of six blocks."""
    return hf.AutoModelForImageClassification.from_config(
        hf.ViTConfig(
            num_attention_heads=6,
            **BLOCKS,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
        ),
        attn_implementation="sdpa",
    )


def pictures() -> Iterator[dict[str, torch.Tensor]]:
    """Of one size, in batches of different numbers of rows."""
    for rows in range(ROWS, 2, -2):
        yield {"pixel_values": torch.rand(rows, 3, 224, 224, device="cuda")}


def speech(dropout: float) -> nn.Module:
    """A wav2vec 2.0 of six blocks."""
    return hf.AutoModelForAudioClassification.from_config(
        hf.Wav2Vec2Config(
            num_attention_heads=6,
            **BLOCKS,
            hidden_dropout=dropout,
            attention_dropout=dropout,
            layerdrop=0.0,
            apply_spec_augment=False,
        ),
        attn_implementation="sdpa",
    )


def sounds() -> Iterator[dict[str, torch.Tensor]]:
    """One to four seconds at 16 kHz."""
    for half_seconds in range(2, 9):
        samples = 8000 * half_seconds
        mask = torch.ones(ROWS, samples, dtype=torch.long, device="cuda")
        mask[::2, samples // 2 :] = 0
        yield {"input_values": torch.randn(ROWS, samples, device="cuda"), "attention_mask": mask}


KINDS = {"text": (text, texts), "vision": (vision, pictures), "speech": (speech, sounds)}

if __name__ == "__main__":
    main()
