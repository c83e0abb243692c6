"""How many processes one GPU feeds when each replays its steps as a CUDA graph, and when it does not."""

import multiprocessing as mp
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import torch
import transformers as hf
from torch import nn

SHAPES = {
    "BERT-base 16x128": (hf.BertConfig(num_labels=77), 16, 128),
    "MiniLM 16x32": (
        hf.BertConfig(
            hidden_size=384,
            num_hidden_layers=6,
            num_attention_heads=12,
            intermediate_size=1536,
            num_labels=77,
        ),
        16,
        32,
    ),
}
COUNTS = (1, 2, 4, 8)
FORMS = ("eager", "graph")
SECONDS = 3.0


def main() -> None:
    """Steps a second of all processes together."""
    print(torch.__version__, torch.cuda.get_device_name())
    for name in SHAPES:
        ends = start(name)
        for form in FORMS:
            rates = {count: together(ends[:count], form) for count in COUNTS}
            told = ", ".join(f"{count}: {rate:.0f}" for count, rate in rates.items())
            print(f"{name} {form}, steps/s in all by processes: {told}")
        for end in ends:
            end.send(None)


def start(name: str) -> list[Connection]:
    """Processes that can step; each takes a form through its end of a pipe and answers with its pace."""
    context = mp.get_context("spawn")
    ends = []
    for _ in range(max(COUNTS)):
        here, there = context.Pipe()
        context.Process(target=work, args=(name, there), daemon=True).start()
        ends.append(here)
    for end in ends:
        end.recv()
    return ends


def together(ends: list[Connection], form: str) -> float:
    """Steps a second in all."""
    for end in ends:
        end.send(form)
    return float(sum(end.recv() for end in ends))


def work(name: str, end: Connection) -> None:
    """In a process: says when it is ready, then steps for some seconds whenever it is told a form."""
    steps = {"eager": eager(name), "graph": graphed(name)}
    end.send("ready")
    while form := end.recv():
        step = steps[form]
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < SECONDS:
            for _ in range(10):
                step()
            torch.cuda.synchronize()
            count += 10
        end.send(count / (time.perf_counter() - began))


def eager(name: str, capturable: bool = False) -> Callable[[], None]:
    """A step of forward, loss, backward, clipping and AdamW in bf16."""
    torch.backends.cuda.enable_cudnn_sdp(False)
    torch.manual_seed(0)
    config, rows, length = SHAPES[name]
    model = (
        hf.AutoModelForSequenceClassification.from_config(config, attn_implementation="sdpa").cuda().train()
    )
    rate = torch.tensor(1e-5, device="cuda") if capturable else 1e-5
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, fused=True, capturable=capturable)
    ids = torch.randint(5, 30000, (rows, length), device="cuda")
    mask, labels = torch.ones_like(ids), torch.randint(0, 77, (rows,), device="cuda")

    def step() -> None:
        with torch.autocast("cuda", dtype=torch.bfloat16, cache_enabled=not capturable):
            logits = model(input_ids=ids, attention_mask=mask).logits
        nn.functional.cross_entropy(logits.float(), labels).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def graphed(name: str) -> Callable[[], None]:
    """The same step as one CUDA graph."""
    step = eager(name, capturable=True)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


if __name__ == "__main__":
    main()
