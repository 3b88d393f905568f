"""What a network costs on disk."""

import tempfile
from pathlib import Path

import keras


def without_optimizer(model: keras.Model) -> keras.Model:
    """Return a model on the same weights that saves no optimizer state."""
    return keras.Model(model.input, model.output, name=model.name)


def bytes_with_optimizer(model: keras.Model) -> int:
    """Measure the ``.keras`` file with Adam's state, as in training.

    The model itself is left as it is; a model that was never trained is measured as if it had been.
    """
    trained = without_optimizer(model)
    trained.compile(keras.optimizers.Adam(), "categorical_crossentropy")
    trained.optimizer.build(trained.trainable_variables)
    return file_bytes(trained)


def file_bytes(model: keras.Model) -> int:
    """Measure the ``.keras`` file of a model as it is, with its optimizer if it has one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return path.stat().st_size
