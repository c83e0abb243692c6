"""Ray Tune runs the trials: the only package that imports ray.

`runtime` starts or joins Ray, `trainable` is what lives in a worker, `adapters` is what Ray asks on the
driver, `run` puts them together. What Ray writes is thrown away: the study is the only record.
"""
