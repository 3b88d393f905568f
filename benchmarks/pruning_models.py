"""Networks that `keras.applications` lacks, in plain Keras, for ``benchmarks/pruning.py``.

Each has the layers and widths of torchvision's network of that name, and as many trainable
parameters. Layers of their own have a rule, as docs/prune-your-own.md says.
"""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from slimderm import register_rule

CLASSES, NARROW = 1000, {"epsilon": 1e-6}


def _normalised(x: Any, activation: str | None = "relu") -> Any:
    x = layers.BatchNormalization()(x)
    return layers.Activation(activation)(x) if activation else x


def _convolved(
    x: Any, filters: int, size: int, activation: str | None = "relu", **more: Any
) -> Any:
    x = layers.Conv2D(filters, size, padding="same", use_bias=False, **more)(x)
    return _normalised(x, activation)


def _shortcut(x: Any, filters: int, strides: int) -> Any:
    if strides == 1 and x.shape[-1] == filters:
        return x
    return _convolved(x, filters, 1, None, strides=strides)


def _classified(x: Any) -> Any:
    return layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x))


def resnext50_32x4d(size: int) -> keras.Model:
    """ResNeXt-50 32x4d (Xie et al. 2017)."""
    image = keras.Input((size, size, 3))
    x = layers.MaxPooling2D(3, 2, "same")(_convolved(image, 64, 7, strides=2))
    for stage, depth in enumerate((3, 4, 6, 3)):
        for block in range(depth):
            strides = 2 if stage and not block else 1
            y = _convolved(x, 128 << stage, 1)
            y = _convolved(y, 128 << stage, 3, strides=strides, groups=32)
            y = _convolved(y, 256 << stage, 1, None)
            x = layers.ReLU()(layers.Add()([_shortcut(x, 256 << stage, strides), y]))
    return keras.Model(image, _classified(x))


def regnet_y_400mf(size: int) -> keras.Model:
    """RegNetY-400MF (Radosavovic et al. 2020)."""
    image = keras.Input((size, size, 3))
    x = _convolved(image, 32, 3, strides=2)
    for width, depth in ((48, 1), (104, 3), (208, 6), (440, 6)):
        for block in range(depth):
            strides = 1 if block else 2
            y = _convolved(x, width, 1)
            y = _convolved(y, width, 3, strides=strides, groups=width // 8)
            gate = layers.GlobalAveragePooling2D(keepdims=True)(y)
            gate = layers.Conv2D(round(0.25 * x.shape[-1]), 1, activation="relu")(gate)
            y = layers.Multiply()([y, layers.Conv2D(width, 1, activation="sigmoid")(gate)])
            y = _convolved(y, width, 1, None)
            x = layers.ReLU()(layers.Add()([_shortcut(x, width, strides), y]))
    return keras.Model(image, _classified(x))


class Tokens(layers.Layer):
    """Puts a class token before the patches, and adds a vector to each place."""

    def build(self, shape: Any) -> None:
        """Make the token and the vectors."""
        self.token = self.add_weight(shape=(1, 1, shape[-1]), name="token")
        self.places = self.add_weight(shape=(1, shape[1] + 1, shape[-1]), name="places")

    def call(self, patches: Any) -> Any:
        """Return one place more, (N, places + 1, C)."""
        tokens = ops.broadcast_to(self.token, (ops.shape(patches)[0], 1, patches.shape[-1]))
        return ops.concatenate([tokens, patches], axis=1) + self.places


register_rule(Tokens, "channelwise")


def _fed_forward(x: Any) -> Any:
    y = layers.Dense(4 * x.shape[-1], "gelu")(layers.LayerNormalization(**NARROW)(x))
    return layers.Add()([x, layers.Dense(x.shape[-1])(y)])


def vit(size: int, width: int, heads: int) -> keras.Model:
    """Vision transformer of 12 blocks over patches of 16x16 (Dosovitskiy et al. 2021)."""
    image = keras.Input((size, size, 3))
    x = layers.Conv2D(width, 16, 16)(image)
    x = Tokens()(layers.Reshape((-1, width))(x))
    for _ in range(12):
        y = layers.LayerNormalization(**NARROW)(x)
        x = _fed_forward(layers.Add()([x, layers.MultiHeadAttention(heads, width // heads)(y, y)]))
    x = layers.LayerNormalization(**NARROW)(x)
    return keras.Model(image, layers.Dense(CLASSES)(x[:, 0]))


def vit_b_16(size: int) -> keras.Model:
    """ViT-B/16."""
    return vit(size, width=768, heads=12)


class WindowBias(layers.Layer):
    """Adds to the scores of a window's places what their distance says, for each head.

    Where windows are shifted, places that were not neighbours in the image do not see each other.
    """

    def __init__(self, side: int, shifted: int, **more: Any) -> None:
        super().__init__(**more)
        self.side, self.shifted = side, shifted

    def build(self, shape: Any) -> None:
        """Make the table, and look up whose distance is which."""
        reach = 2 * self.side - 1
        self.table = self.add_weight(shape=(reach**2, shape[2]), name="table")
        down, right = np.divmod(np.arange(self.side**2), self.side)
        apart = [each[:, None] - each[None] + self.side - 1 for each in (down, right)]
        self.index = (apart[0] * reach + apart[1]).ravel()
        self.mask = _mask(round(shape[1] ** 0.5) * self.side, self.side, self.shifted)

    def call(self, scores: Any) -> Any:
        """Return scores of the same shape, (N, windows, heads, places, places)."""
        places = scores.shape[-1]
        bias = ops.reshape(ops.take(self.table, self.index, axis=0), (places, places, -1))
        return scores + ops.transpose(bias, (2, 0, 1)) + self.mask

    def get_config(self) -> dict[str, Any]:
        """Say what the layer was made with."""
        return {**super().get_config(), "side": self.side, "shifted": self.shifted}


def _mask(size: int, side: int, shifted: int) -> Any:
    """Forbid places of a window that only the shift brought together: (W, 1, places, places)."""
    if not shifted:
        return 0.0
    part = np.zeros(size, int)
    part[size - side :], part[size - shifted :] = 1, 2
    parts = (3 * part[:, None] + part).reshape(size // side, side, size // side, side)
    parts = parts.transpose(0, 2, 1, 3).reshape(-1, side**2)
    return np.where(parts[:, None, :, None] == parts[:, None, None], 0, -100).astype("float32")


def _of_heads(coupling: Any, call: Any, inputs: Any) -> Any:
    coupling.hold(call.operation, call.operation.table, 1, inputs[0][2])
    return inputs[0]


register_rule(WindowBias, _of_heads)


def _windows(x: Any, side: int) -> Any:
    """(N, H, W, C) to (N, windows, places, C)."""
    _, height, width, channels = x.shape
    x = layers.Reshape((height // side, side, width // side, side, channels))(x)
    return layers.Reshape((-1, side**2, channels))(layers.Permute((1, 3, 2, 4, 5))(x))


def _image(x: Any, size: int, side: int) -> Any:
    """(N, windows, places, C) to (N, H, W, C)."""
    channels, across = x.shape[-1], size // side
    x = layers.Reshape((across, across, side, side, channels))(x)
    return layers.Reshape((size, size, channels))(layers.Permute((1, 3, 2, 4, 5))(x))


def _rolled(x: Any, by: int) -> Any:
    """Take the first rows and columns behind the last."""
    if by:
        x = ops.concatenate([x[:, by:], x[:, :by]], axis=1)
        x = ops.concatenate([x[:, :, by:], x[:, :, :by]], axis=2)
    return x


def _window_attention(x: Any, heads: int, side: int, shifted: int) -> Any:
    size, channels = x.shape[1], x.shape[-1]
    x = _windows(_rolled(x, shifted), side)
    shape = (x.shape[1], side**2, heads, channels // heads)
    query, key, value = (
        layers.EinsumDense("bwnc,chd->bwnhd", shape, bias_axes="hd")(x) for _ in range(3)
    )
    scores = ops.einsum("bwnhd,bwmhd->bwhnm", query * (channels // heads) ** -0.5, key)
    scores = layers.Softmax()(WindowBias(side, shifted)(scores))
    x = ops.einsum("bwhnm,bwmhd->bwnhd", scores, value)
    x = layers.EinsumDense("bwnhd,hdc->bwnc", (*shape[:2], channels), bias_axes="c")(x)
    return _rolled(_image(x, size, side), -shifted)


def swin_t(size: int) -> keras.Model:
    """Swin-T (Liu et al. 2021), windows of 7x7."""
    image = keras.Input((size, size, 3))
    x = layers.LayerNormalization(**NARROW)(layers.Conv2D(96, 4, 4)(image))
    for stage, depth in enumerate((2, 2, 6, 2)):
        if stage:  # four neighbours become one place
            _, height, width, channels = x.shape
            x = layers.Reshape((height // 2, 2, width // 2, 2, channels))(x)
            x = layers.Permute((1, 3, 4, 2, 5))(x)
            x = layers.Reshape((height // 2, width // 2, 4 * channels))(x)
            x = layers.LayerNormalization(**NARROW)(x)
            x = layers.Dense(2 * channels, use_bias=False)(x)
        side = min(7, x.shape[1])
        for block in range(depth):
            shifted = side // 2 if block % 2 and side < x.shape[1] else 0
            y = layers.LayerNormalization(**NARROW)(x)
            x = _fed_forward(layers.Add()([x, _window_attention(y, 3 << stage, side, shifted)]))
    return keras.Model(image, _classified(layers.LayerNormalization(**NARROW)(x)))
