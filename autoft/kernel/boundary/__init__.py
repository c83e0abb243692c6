"""The boundary cache: what a frozen prefix makes of the rows is computed once, and read from then on.

The boundary b of a trial lies above its b frozen blocks. `inject` puts stored states in place of the
prefix, `store` keeps them in files, `fill` computes them, `valid` says where all this is sound, and `plan`
decides before a study's first trial which boundaries are kept.
"""
