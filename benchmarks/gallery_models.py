"""Networks of the gallery that `keras.applications` lacks, of Keras's own layers."""

from typing import Any

import keras
from keras import layers, ops


def _convolved(x: Any, filters: int, size: int = 3, strides: int = 1) -> Any:
    x = layers.Conv2D(filters, size, strides, padding="same", use_bias=False)(x)
    return layers.Activation("silu")(layers.BatchNormalization()(x))


def _split_block(x: Any, filters: int, depth: int = 1) -> Any:
    """Half of the channels goes through bottlenecks; all that is made on the way is joined."""
    parts = ops.split(_convolved(x, filters, 1), 2, axis=-1)
    for _ in range(depth):
        last = parts[-1]
        parts.append(last + _convolved(_convolved(last, filters // 2), filters // 2))
    return _convolved(layers.Concatenate()(parts), filters, 1)


def detector(classes: int = 80) -> keras.Model:
    """Detector of one stage in the style of YOLOv8n: boxes and classes at three scales."""
    image = keras.Input((256, 256, 3))
    x = _split_block(_convolved(_convolved(image, 16, strides=2), 32, strides=2), 32)
    levels = []
    for filters, depth in ((64, 2), (128, 2), (256, 1)):
        x = _split_block(_convolved(x, filters, strides=2), filters, depth)
        levels.append(x)
    pooled = [_convolved(x, 128, 1)]
    for _ in range(3):
        pooled.append(layers.MaxPooling2D(5, 1, "same")(pooled[-1]))
    x = _convolved(layers.Concatenate()(pooled), 256, 1)
    found = [x]
    for level in levels[-2::-1]:
        x = layers.Concatenate()([layers.UpSampling2D(2)(x), level])
        x = _split_block(x, level.shape[-1])
        found.append(x)
    outputs = []
    for x in found:
        boxes = layers.Conv2D(64, 1)(_convolved(_convolved(x, 64), 64))
        scores = layers.Conv2D(classes, 1)(_convolved(_convolved(x, 80), 80))
        outputs.append(layers.Concatenate()([boxes, scores]))
    return keras.Model(image, outputs)


def u_net() -> keras.Model:
    """Segmentation with skips (Ronneberger et al. 2015), a quarter as wide."""
    image = keras.Input((128, 128, 3))
    x, skips = image, []
    for filters in (16, 32, 64, 128):
        x = _convolved(_convolved(x, filters), filters)
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    x = _convolved(_convolved(x, 256), 256)
    for skip in reversed(skips):
        x = layers.Conv2DTranspose(skip.shape[-1], 2, 2)(x)
        x = layers.Concatenate()([x, skip])
        x = _convolved(_convolved(x, skip.shape[-1]), skip.shape[-1])
    return keras.Model(image, layers.Conv2D(1, 1)(x))


def text_classifier() -> keras.Model:
    """Two LSTMs in both directions over 80 words of 20,000."""
    words = keras.Input((80,), dtype="int32")
    x = layers.Embedding(20_000, 128)(words)
    x = layers.Bidirectional(layers.LSTM(64, return_sequences=True))(x)
    x = layers.Bidirectional(layers.LSTM(64))(x)
    return keras.Model(words, layers.Dense(2)(layers.Dense(64, "relu")(x)))


def generator() -> keras.Model:
    """Noise to a picture of 64x64 (DCGAN, Radford et al. 2016)."""
    noise = keras.Input((100,))
    x = layers.Dense(4 * 4 * 512, use_bias=False)(noise)
    x = layers.Reshape((4, 4, 512))(x)
    for filters in (256, 128, 64):
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.Conv2DTranspose(filters, 4, 2, "same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    return keras.Model(noise, layers.Conv2DTranspose(3, 4, 2, "same", activation="tanh")(x))


def keyword_spotter() -> keras.Model:
    """Convolutions and two GRUs over a second of sound, 98 frames of 40 mel bands."""
    frames = keras.Input((98, 40))
    x = frames
    for filters in (128, 128):
        x = layers.Conv1D(filters, 5, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.GRU(128, return_sequences=True)(x)
    return keras.Model(frames, layers.Dense(35)(layers.GRU(128)(x)))


def autoencoder() -> keras.Model:
    """Picture of 64x64 to 64 numbers and back, in convolutions."""
    image = keras.Input((64, 64, 3))
    x = image
    for filters in (32, 64, 128):
        x = layers.Conv2D(filters, 3, 2, "same", activation="relu")(x)
    x = layers.Dense(64, name="code")(layers.Flatten()(x))
    x = layers.Reshape((8, 8, 128))(layers.Dense(8 * 8 * 128, "relu")(x))
    for filters in (64, 32):
        x = layers.Conv2DTranspose(filters, 3, 2, "same", activation="relu")(x)
    return keras.Model(image, layers.Conv2DTranspose(3, 3, 2, "same", activation="sigmoid")(x))
