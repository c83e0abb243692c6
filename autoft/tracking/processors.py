"""What turns rows into a model's inputs, as a part of a transformers pipeline."""

from typing import Any

PARTS = ("tokenizer", "feature_extractor", "image_processor")
"""What pipelines call it."""


def part_of(processor: Any) -> str:
    """What a pipeline calls this processor.

    Raises:
        TypeError: no pipeline takes one of its kind.
    """
    from transformers import FeatureExtractionMixin, ImageProcessingMixin, PreTrainedTokenizerBase

    kinds = (PreTrainedTokenizerBase, FeatureExtractionMixin, ImageProcessingMixin)
    for name, kind in zip(PARTS, kinds, strict=True):
        if isinstance(processor, kind):
            return name
    raise TypeError(
        f"a task's processor must be a transformers {', '.join(PARTS)}, got {type(processor).__name__}"
    )


def processor_of(pipeline: Any) -> Any:
    """The processor of a pipeline."""
    return next(part for name in PARTS if (part := getattr(pipeline, name, None)) is not None)
