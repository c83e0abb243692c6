"""What a model can be fine-tuned for: one folder a task, found by walking (`spec.tasks`)."""
