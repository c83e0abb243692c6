"""What the task of `acme_vectors` does: a model of sounds takes the numbers."""

import json

import numpy as np
import transformers as hf
from acme_vectors import SIZE, TASK

from autoft.data.alike import alike_labels
from autoft.data.encoded import Encoded
from autoft.data.files import hasher
from autoft.tasks import classification, plain
from autoft.tasks.outputs import LOGITS
from autoft.tasks.protocol import Served
from autoft.tasks.text import SCORED

BASELINES = {"trivial": classification.trivial}


class VectorClassification:
    spec = TASK
    auto_model = hf.AutoModelForAudioClassification
    output_fields = (LOGITS,)
    pipeline_task = "audio-classification"
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

    def load_processor(self, path_or_id, **where):
        return hf.AutoFeatureExtractor.from_pretrained(path_or_id, **where)

    def fingerprint(self, processor):
        key = hasher()
        key.update(json.dumps(processor.to_dict(), sort_keys=True).encode())
        return key.hexdigest()

    def encode(self, rows, processor, targets, values):
        found = processor(numbers(rows), sampling_rate=processor.sampling_rate, return_tensors="np")
        frames = np.ones(len(rows), np.int64)  # the convolutions make one of SIZE numbers
        return Encoded(dict(found), classification.encoded_labels(rows), frames)

    def loss(self, outputs, batch, values):
        return classification.cross_entropy(outputs, batch, {"label_smoothing": 0.0})

    def pipeline(self, model, processor):
        return hf.AudioClassificationPipeline(model=model.eval(), feature_extractor=processor)

    def served(self, example, targets):
        shape = {"dtype": "float32", "shape": [-1, SIZE]}
        return Served([{"type": "tensor", "tensor-spec": shape}], SCORED, numbers(example))


def numbers(rows):
    return np.array(rows.column("input_0").to_pylist(), np.float32)
