"""What waits for a GPU: packed here, run there, in parts (see `pack.py` and `run.sh`)."""
