"""LiteRT with weights in half the bits; the runtime computes in float32."""

import keras

from slimderm.components.export.litert import LITERT, to_litert
from slimderm.components.export.target import Inputs, Target


def _convert(model: keras.Model, _: Inputs) -> bytes:
    return to_litert(model, optimise=True, weights="float16")


TARGET = Target("LiteRT, float16 weights, computed in float32", LITERT, _convert)
