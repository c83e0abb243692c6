"""What gives a text its labels."""

from typing import Any

from transformers import TextClassificationPipeline


class MultiLabelPipeline(TextClassificationPipeline):
    """A transformers pipeline that gives the labels above the model's threshold, the likeliest first.

    The threshold is `config.threshold`, with which autoft saves a model; 0.5 where there is none.
    """

    def postprocess(self, model_outputs: Any, **how: Any) -> list[dict[str, Any]]:  # type: ignore[override]
        """The labels of one text with their probabilities; empty if none is above the threshold."""
        how |= {"top_k": None, "_legacy": False}
        scored = super().postprocess(model_outputs, **how)  # type: ignore[no-untyped-call]
        threshold = getattr(self.model.config, "threshold", 0.5)
        return [each for each in scored if each["score"] > threshold]
