"""Train one network: Adam, balanced epochs, the best epoch's weights kept (section 4.1)."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pandas as pd

from slimderm.components.common.errors import ParameterError
from slimderm.components.evaluation.metrics import classification_metrics
from slimderm.components.keras_support.normalization import fused_batch_normalization
from slimderm.components.keras_support.optimizers import spare_sum
from slimderm.components.training.batches import BalancedBatches, Examples, as_trained
from slimderm.components.training.prediction import is_image_only, predict

if TYPE_CHECKING:
    from slimderm.components.training.settings import TrainingSettings

Logs = dict[str, float]


@dataclass(frozen=True)
class History:
    """What training left behind besides the weights.

    ``frame`` has one row an epoch: epoch (from 1), train_loss, train_accuracy (as trained:
    augmented and with dropout), validation_loss, validation_accuracy,
    validation_balanced_accuracy, seconds.
    """

    frame: pd.DataFrame
    best_epoch: int
    seconds: float


def fit(
    model: keras.Model,
    train: Examples,
    validation: Examples,
    settings: "TrainingSettings",
    *,
    on_epoch: Callable[[int, Logs], None] | None = None,
    on_batch: Callable[[int, int], None] | None = None,
) -> History:
    """Train a model and leave it with its best epoch's weights.

    The best epoch is the one with the highest balanced accuracy on validation, the lower loss
    deciding between equals: the classes of validation need not be of one size.

    Parameters
    ----------
    model : keras.Model
        From `build`; compiled here. Whether metadata is fed follows from its inputs.
    train, validation : Examples
        Only the training part is balanced and augmented.
    settings : TrainingSettings
        Size, precision and ``image_only`` are the model's already and not read here.
    on_epoch : callable, optional
        Called with the epoch's number (from 1) and its row of the history.
    on_batch : callable, optional
        Called with the batch's number (from 1) and the number of batches in the epoch.

    Returns
    -------
    History

    Raises
    ------
    ParameterError
        When a class has no training image, validation is empty, or the loss is no longer finite
        before one epoch is complete.
    """
    if len(validation) == 0:
        raise ParameterError("validation part: received no images, expected at least one")
    batches = BalancedBatches(
        as_trained(train, settings.augment, seed=settings.seed),
        num_classes=model.output_shape[-1],
        batch_size=settings.batch_size,
        seed=settings.seed,
        augmented=settings.augment == "online",
        image_only=is_image_only(model),
    )
    watch = _Watch(validation, settings, len(batches), on_epoch, on_batch)
    optimizer = _optimizer(model, settings.learning_rate)
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
    # Where the training step makes variables, TensorFlow traces it twice, for seconds each time.
    optimizer.build(model.trainable_variables)
    scores = keras.ops.zeros((1, model.output_shape[-1]))
    model.compute_metrics(None, scores, scores)
    model.reset_metrics()
    started = time.perf_counter()
    # Keras would shuffle batches with Python's global generator; the epochs are shuffled already.
    with fused_batch_normalization(model):
        model.fit(batches, epochs=settings.epochs, shuffle=False, verbose=0, callbacks=[watch])
    if watch.best_weights is None:
        raise ParameterError(
            f"learning_rate: received {settings.learning_rate}, with which the loss was no longer "
            "finite in the first epoch; expected a smaller one, or precision float32"
        )
    model.set_weights(watch.best_weights)
    return History(
        frame=pd.DataFrame(watch.rows),
        best_epoch=watch.best_epoch,
        seconds=time.perf_counter() - started,
    )


def _optimizer(model: keras.Model, learning_rate: float) -> keras.optimizers.Optimizer:
    adam = keras.optimizers.Adam(learning_rate)
    spare_sum(adam)
    # Keras scales the loss by itself only where the global policy, which stays untouched, says so.
    if any(layer.dtype_policy.name == "mixed_float16" for layer in model.layers):
        return keras.optimizers.LossScaleOptimizer(adam)
    return adam


class _Watch(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
    """Judges every epoch on validation and remembers the best one's weights."""

    def __init__(
        self,
        validation: Examples,
        settings: "TrainingSettings",
        num_batches: int,
        on_epoch: Callable[[int, Logs], None] | None,
        on_batch: Callable[[int, int], None] | None,
    ) -> None:
        super().__init__()
        self.validation = validation
        self.settings = settings
        self.num_batches = num_batches
        self.on_epoch = on_epoch
        self.on_batch = on_batch
        self.rows: list[Logs] = []
        self.best: tuple[float, float] = (-math.inf, -math.inf)
        self.best_epoch = 0
        self.best_weights: list[Any] | None = None
        self.started = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.on_batch is not None:
            self.on_batch(batch + 1, self.num_batches)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not math.isfinite(logs["loss"]):
            self.model.stop_training = True
            return
        judged = self._judge()
        row = {
            "epoch": epoch + 1,
            "train_loss": float(logs["loss"]),
            "train_accuracy": float(logs["accuracy"]),
            **judged,
            "seconds": time.perf_counter() - self.started,
        }
        self.rows.append(row)
        standing = (judged["validation_balanced_accuracy"], -judged["validation_loss"])
        if standing > self.best:
            self.best, self.best_epoch = standing, epoch + 1
            self.best_weights = self.model.get_weights()
        patience = self.settings.patience
        if patience is not None and epoch + 1 - self.best_epoch >= patience:
            self.model.stop_training = True
        if self.on_epoch is not None:
            self.on_epoch(epoch + 1, row)

    def _judge(self) -> Logs:
        labels = self.validation.labels
        probabilities = predict(self.model, self.validation, batch_size=self.settings.batch_size)
        metrics = classification_metrics(labels, probabilities)
        likelihood = probabilities[np.arange(len(labels)), labels]
        return {
            "validation_loss": float(-np.log(np.maximum(likelihood, 1e-7)).mean()),
            "validation_accuracy": metrics["accuracy"],
            "validation_balanced_accuracy": metrics["balanced_accuracy"],
        }
