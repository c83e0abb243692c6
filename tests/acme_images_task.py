"""What the task of `acme_images` does: a vision model takes the pixels. The rest is as in `acme_vectors`."""

import base64
import io

import numpy as np
import transformers as hf
from acme_images import TASK
from acme_vectors_task import VectorClassification
from PIL import Image

from autoft.data.encoded import Encoded
from autoft.tasks import classification
from autoft.tasks.protocol import Served

SCORE = {"type": "object", "properties": {"label": {"type": "string"}, "score": {"type": "double"}}}


class ImageClassification(VectorClassification):
    spec = TASK
    auto_model = hf.AutoModelForImageClassification
    pipeline_task = "image-classification"

    def load_processor(self, path_or_id, **where):
        return hf.AutoImageProcessor.from_pretrained(path_or_id, **where)

    def encode(self, rows, processor, targets, values):
        images = [Image.open(io.BytesIO(each)).convert("RGB") for each in rows["input_0"].to_pylist()]
        pixels = processor(images, return_tensors="np")["pixel_values"].astype(np.float16)
        patches = np.full(len(rows), 5, np.int64)  # 4 of 4 x 4 pixels, and the first one
        return Encoded({"pixel_values": pixels}, classification.encoded_labels(rows), patches)

    def pipeline(self, model, processor):
        return hf.ImageClassificationPipeline(model=model.eval(), image_processor=processor)

    def served(self, example, targets):
        content = base64.b64encode(example["input_0"][0].as_py()).decode()
        return Served([{"type": "string"}], [{"type": "array", "items": SCORE}], [content])
