"""A small network that learns what a large one says of each image, not the label alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, ClassVar

import keras
from keras import ops

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.calls import ends, packed
from slimderm.components.model_graph.copies import copied
from slimderm.components.model_graph.outputs import last_activation, output_of
from slimderm.components.network_compression.passes import (
    Compressed,
    Means,
    Order,
    Pass,
    check_finite,
    compared,
)

SMALLEST = 1e-30  # of a probability, above what float32 rounds to zero


def gives_logits(model: keras.Model) -> bool:
    """Tell whether a model's first output is logits; otherwise it is a softmax's probabilities.

    Raises
    ------
    ParameterError
        For another output, such as a sigmoid, or for a single class.
    """
    tensor, name = ends(model)[1][0], last_activation(model)
    if name not in ("softmax", "linear") or tensor.shape[-1] < 2:
        raise ParameterError(
            f"{model.name}: received {tensor.shape[-1]} outputs of "
            f"{name}, expected at least two classes by a softmax, or "
            "their logits by a layer without activation"
        )
    return name == "linear"


def log_probabilities(values: Any) -> Any:
    """Return logits of probabilities: their logarithms, up to a constant."""
    return ops.log(ops.maximum(values, SMALLEST))


def divergence(student: Any, teacher: Any, temperature: float) -> Any:
    """Return T² times the divergence of softened probabilities, the mean over a batch.

    Parameters
    ----------
    student, teacher : tensor of shape (N, C)
        Logits, or logarithms of probabilities: a softmax is free of a constant.
    temperature : float
        T; the larger, the more the classes count that are unlikely. T² keeps the gradient's size.

    References
    ----------
    Hinton, Vinyals, Dean, "Distilling the knowledge in a neural network", arXiv:1503.02531.
    """
    soft_student, soft_teacher = (
        ops.log_softmax(each / temperature, axis=-1) for each in (student, teacher)
    )
    each = ops.sum(ops.exp(soft_teacher) * (soft_teacher - soft_student), axis=-1)
    return temperature**2 * ops.mean(each)


def similarity_loss(student: Any, teacher: Any) -> Any:
    """Return how differently two layers liken the images of a batch to each other; any widths do.

    Parameters
    ----------
    student, teacher : tensor of shape (N, ...)
        Outputs of a layer each.

    References
    ----------
    Tung, Mori, "Similarity-preserving knowledge distillation", arXiv:1907.09682, equation 4.
    """
    grams = []
    for values in (student, teacher):
        rows = ops.reshape(values, (ops.shape(values)[0], -1))
        gram = ops.matmul(rows, ops.transpose(rows))
        grams.append(gram / (ops.norm(gram, axis=1, keepdims=True) + 1e-12))
    return ops.mean(ops.square(grams[0] - grams[1]))


class _Teaching(keras.layers.Layer):  # type: ignore[misc]  # keras has no types
    """Gives the student's probabilities on, and adds to the loss what it has not learned yet."""

    def __init__(
        self, weight: float, temperature: float, feature_weight: float, logits: tuple[bool, bool]
    ) -> None:
        super().__init__(dtype="float32")
        self.weight, self.temperature = weight, temperature
        self.feature_weight, self.logits = feature_weight, logits

    def call(self, tensors: Any) -> Any:
        student, teacher, *features = tensors
        if self.weight:
            own, other = (
                each if logits else log_probabilities(each)
                for each, logits in zip((student, teacher), self.logits, strict=True)
            )
            self.add_loss(self.weight * divergence(own, other, self.temperature))
        for own, other in zip(features[::2], features[1::2], strict=True):
            self.add_loss(self.feature_weight * similarity_loss(own, other))
        return student


@dataclass(frozen=True)
class Distil(Pass):
    """Train a model beside a teacher.

    The loss is that of ``fine_tune``, which knows the labels, plus α/(1-α) times T² times the
    divergence from the teacher: (1-α) and α parts of the two, up to the learning rate.

    Attributes
    ----------
    teacher : keras.Model
        Takes the same inputs and says the same classes, by a softmax or as logits, as the model
        itself may; it is not changed.
    alpha : float
        In [0, 1): the teacher's part; 0 is training without a teacher.
    temperature : float
        T, above 0.
    features : mapping
        Layer of the student to layer of the teacher whose likeness between images is learned, too.
    feature_weight : float
        Of each pair of layers in the loss.
    """

    teacher: Any = None
    alpha: float = 0.9
    temperature: float = 4.0
    features: Mapping[str, str] = field(default_factory=dict)
    feature_weight: float = 100.0
    order: ClassVar[Order] = Order.SHAPES

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("alpha", self.alpha, 0, 1),
            ("temperature", self.temperature, None, float("inf")),
            ("feature_weight", self.feature_weight, 0, float("inf")),
        ):
            number = isinstance(value, Real) and not isinstance(value, bool)
            if not number or not (value > 0 if low is None else low <= value) or not value < high:
                raise ParameterError(
                    f"{name}: received {value!r}, expected a number "
                    f"{'above 0' if low is None else f'of at least {low}'} and below {high}"
                )

    def _compress(self, model: keras.Model, means: Means) -> Compressed:
        check_finite(self.teacher)
        if means.fine_tune is None:
            raise ParameterError("fine_tune: received none, expected a callable that trains")
        student = copied(model)
        means.train(self._beside(student))
        words = f"learned from {self.teacher.name}: {self.teacher.count_params():,} parameters"
        return compared(model, copied(student), {model.name: words}, {})

    def _beside(self, student: keras.Model) -> keras.Model:
        """Return a model on the student's layers whose training distils."""
        teacher = copied(self.teacher)
        for what, own, other in zip(("input", "output"), ends(student), ends(teacher), strict=True):
            wanted, given = ([tuple(tensor.shape) for tensor in each] for each in (own, other))
            if wanted != given:
                raise ParameterError(
                    f"teacher: received one of {what} {given}, expected {wanted}, the student's"
                )
        teacher.trainable = False
        pairs = [
            (output_of(student, own), output_of(teacher, other))
            for own, other in self.features.items()
        ]
        taught = keras.Model(
            ends(teacher)[0], [ends(teacher)[1][0], *(other for _, other in pairs)]
        )
        taught.trainable = False
        inputs = ends(student)[0]
        said = keras.tree.flatten(taught(inputs, training=False))
        tensors = [ends(student)[1][0], said[0]]
        for (own, _), other in zip(pairs, said[1:], strict=True):
            tensors += [own, other]
        logits = gives_logits(student), gives_logits(teacher)
        weight = self.alpha / (1 - self.alpha)
        teaching = _Teaching(weight, self.temperature, self.feature_weight, logits)
        return keras.Model(packed(student, inputs), teaching(tensors), name=student.name)
