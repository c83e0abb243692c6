"""Text classification: what it learns of its labels, its loss and its metrics."""

from typing import Any

import pyarrow as pa
from transformers import AutoModelForSequenceClassification

from autoft.data.alike import alike_labels
from autoft.data.encoded import Encoded
from autoft.data.targets import Targets
from autoft.data.text import tokenizer_fingerprint
from autoft.tasks import classification, plain
from autoft.tasks.linear import on_texts
from autoft.tasks.outputs import LOGITS
from autoft.tasks.protocol import Values
from autoft.tasks.text import encode_texts, load_tokenizer, serve_texts, text_classification_pipeline
from autoft.tasks.text_classification import TASK

BASELINES = {"trivial": classification.trivial, "classical": on_texts(classification.linear)}


class TextClassification:
    """See `tasks.protocol.Task`."""

    spec = TASK
    auto_model = AutoModelForSequenceClassification
    output_fields = (LOGITS,)
    pipeline_task = "text-classification"
    pipeline = staticmethod(text_classification_pipeline)
    served = staticmethod(serve_texts)
    load_processor = staticmethod(load_tokenizer)
    fingerprint = staticmethod(tokenizer_fingerprint)
    baselines = BASELINES
    linear = staticmethod(classification.linear)
    tokens_of = staticmethod(plain.whole_rows)
    clean_target = staticmethod(classification.strip_labels)
    fit_targets = staticmethod(classification.fit_labels)
    strata = staticmethod(classification.label_strata)
    target_array = staticmethod(classification.label_numbers)
    occurrences = staticmethod(classification.label_counts)
    target_findings = staticmethod(alike_labels)
    config_values = staticmethod(classification.config_values)
    output_size = staticmethod(classification.label_count)
    weight = staticmethod(classification.row_count)
    loss = staticmethod(classification.cross_entropy)
    output_bias = staticmethod(plain.drawn_bias)
    guess_loss = staticmethod(classification.guess_loss)
    predict = staticmethod(classification.keep_logits)
    score = staticmethod(classification.score)
    error = staticmethod(classification.error)
    differences = staticmethod(classification.differences)
    decide = staticmethod(plain.as_predicted)
    row_answers = staticmethod(classification.rows_answered)
    suspects = staticmethod(classification.suspects)
    breakdown = staticmethod(classification.breakdown)
    check_model = staticmethod(plain.any_model)
    finish = staticmethod(plain.keep_model)
    finished = staticmethod(plain.keep_targets)

    def encode(self, rows: pa.Table, processor: Any, targets: Targets, values: Values) -> Encoded:
        """Tokens, and `labels` [n]."""
        return encode_texts(rows, processor, values, classification.encoded_labels(rows))
