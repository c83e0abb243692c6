"""The benchmark on a GPU: `mixed` with rows of GLUE-like lengths, ten trials of one epoch, batch 16.

    python -m gpu.peers bert              BERT-base's shape, random weights, against all PEERS
    python -m gpu.peers minilm hf-ray     MiniLM as it is, against one of them

Wanted, over autoft: `hf-ray` 6 and 8, `hf-ray-tuned` 3 and 4, `handwritten` 2.5 and 3; BERT-base's share of
its floor 0.25, and the GPU busy for 0.7 of the time.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from bench.glue_like import write_bert_base, write_rows

BENCHMARK = Path(__file__).parents[1] / "bench_peers.py"
PEERS = ("handwritten", "hf-ray-tuned", "hf-ray")
"""The slowest last: each run is told as it ends, in case the time is over."""
SHORT = ("--trials", "10", "--epochs", "1", "--batch-size", "16", "--rounds", "1", "--no-gate")


def main() -> None:
    """One round of autoft and the peers."""
    shape, *peers = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = ["--model", str(write_bert_base(folder / "model"))] if shape == "bert" else []
        rows = ["--data", str(write_rows(folder / "rows"))]
        against = [word for peer in peers or PEERS for word in ("--peer", peer)]
        subprocess.run([sys.executable, str(BENCHMARK), *model, *rows, *against, *SHORT], check=True)


if __name__ == "__main__":
    main()
