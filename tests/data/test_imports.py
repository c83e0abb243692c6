import subprocess
import sys

MODULES = "prepare, load, hub, encoded, text, seal, node, split"


def test_the_data_room_loads_nothing_heavy_before_it_is_needed():
    script = f"import sys; from autoft.data import {MODULES}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "pyarrow" in loaded
    assert not loaded & {"torch", "datasets", "transformers", "sklearn", "huggingface_hub"}
