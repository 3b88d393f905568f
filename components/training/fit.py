"""Train one network: Adam, balanced epochs, one epoch's network kept (section 4.1)."""

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
from slimderm.components.keras_support.statistics import recompute_statistics
from slimderm.components.training.batches import BalancedBatches, Examples, as_trained
from slimderm.components.training.checkpoints import CHECKPOINTS
from slimderm.components.training.prediction import is_image_only, predict

if TYPE_CHECKING:
    from slimderm.components.training.settings import TrainingSettings

Logs = dict[str, float]
STATISTICS_BATCH = 64  # images: enough of each class for a batch's mean to stand for the data's


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
    """Train a model and leave it with the weights that ``settings.checkpoint`` chooses.

    Before each epoch is judged, batch normalization's moving statistics are recomputed over
    training images that are not augmented. What is judged is what is kept.

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
    rule = CHECKPOINTS[settings.checkpoint]
    watch = _Watch(
        train=train,
        validation=validation,
        settings=settings,
        num_batches=len(batches),
        on_epoch=on_epoch,
        on_batch=on_batch,
    )
    # It puts the averaged weights in place at an epoch's end, before they are judged.
    swap = [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)] if rule.averaged else []
    optimizer = _optimizer(model, settings, len(batches))
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
    # Where the training step makes variables, TensorFlow traces it twice, for seconds each time.
    optimizer.build(model.trainable_variables)
    scores = keras.ops.zeros((1, model.output_shape[-1]))
    model.compute_metrics(None, scores, scores)
    model.reset_metrics()
    started = time.perf_counter()
    # Keras would shuffle batches with Python's global generator; the epochs are shuffled already.
    with fused_batch_normalization(model):
        callbacks = [*swap, watch]
        model.fit(batches, epochs=settings.epochs, shuffle=False, verbose=0, callbacks=callbacks)
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


def _optimizer(
    model: keras.Model, settings: "TrainingSettings", num_batches: int
) -> keras.optimizers.Optimizer:
    rate: Any = settings.learning_rate
    if settings.decay == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, settings.epochs * num_batches)
    adam = keras.optimizers.Adam(
        rate,
        use_ema=CHECKPOINTS[settings.checkpoint].averaged,
        ema_momentum=max(0.0, 1 - 1 / (settings.average_epochs * num_batches)),
    )
    spare_sum(adam)
    # Keras scales the loss by itself only where the global policy, which stays untouched, says so.
    if any(layer.dtype_policy.name == "mixed_float16" for layer in model.layers):
        return keras.optimizers.LossScaleOptimizer(adam)
    return adam


def settle_statistics(model: keras.Model, train: Examples, settings: "TrainingSettings") -> None:
    """Recompute batch normalization's statistics over training images, which are not augmented.

    Parameters
    ----------
    model : keras.Model
        Changed in place.
    train : Examples
        As many images of each class are drawn, by the seed.
    settings : TrainingSettings
        ``statistics_images`` and ``seed``.
    """
    batches = BalancedBatches(
        train,
        num_classes=model.output_shape[-1],
        batch_size=STATISTICS_BATCH,
        seed=settings.seed,
        augmented=False,
        image_only=is_image_only(model),
    )
    number = min(math.ceil(settings.statistics_images / STATISTICS_BATCH), len(batches))
    recompute_statistics(model, (batches[index][0] for index in range(number)))


class _Watch(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
    """Judges every epoch on validation and remembers the weights of the one to keep."""

    def __init__(
        self,
        *,
        train: Examples,
        validation: Examples,
        settings: "TrainingSettings",
        num_batches: int,
        on_epoch: Callable[[int, Logs], None] | None,
        on_batch: Callable[[int, int], None] | None,
    ) -> None:
        super().__init__()
        self.train, self.validation = train, validation
        self.settings = settings
        self.rule = CHECKPOINTS[settings.checkpoint]
        self.num_batches = num_batches
        self.on_epoch = on_epoch
        self.on_batch = on_batch
        self.rows: list[Logs] = []
        self.best: tuple[float, ...] = ()  # below every other
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
        self._settle()
        judged = self._judge()
        row = {
            "epoch": epoch + 1,
            "train_loss": float(logs["loss"]),
            "train_accuracy": float(logs["accuracy"]),
            **judged,
            "seconds": time.perf_counter() - self.started,
        }
        self.rows.append(row)
        standing = self.rule.standing(row, self.settings.checkpoint_accuracy)
        if standing > self.best:
            self.best, self.best_epoch = standing, epoch + 1
            self.best_weights = self.model.get_weights()
        patience = self.settings.patience
        if patience is not None and epoch + 1 - self.best_epoch >= patience:
            self.model.stop_training = True
        if self.on_epoch is not None:
            self.on_epoch(epoch + 1, row)

    def _settle(self) -> None:
        """Make the model whole that the weights of this moment stand for."""
        if self.rule.averaged:  # an average is taken before constraints, such as masks, hold
            for variable in self.model.trainable_variables:
                if variable.constraint is not None:
                    variable.assign(variable.constraint(variable))
        settle_statistics(self.model, self.train, self.settings)

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
