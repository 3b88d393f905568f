"""LiteRT with weights in half the bits; the runtime computes in float32."""

import keras

from slimderm.components.export.litert import to_litert
from slimderm.components.export.target import Target


def _convert(model: keras.Model) -> bytes:
    return to_litert(model, optimise=True, weights="float16")


TARGET = Target("LiteRT, float16 weights, computed in float32", _convert)
