"""Rows in, tensors out: load, split, seal, encode, batch."""
