"""What a worker imports while it waits for its first trial, and the driver still looks at models and rows."""

from autoft.collector import rare_collections

with rare_collections():
    import autoft.study.build
    import autoft.study.ray_tune.trainable  # noqa: F401 - to have them imported is all
