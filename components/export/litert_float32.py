"""LiteRT with weights as they were trained: the baseline for the smaller ones."""

import keras

from slimderm.components.export.litert import LITERT, to_litert
from slimderm.components.export.target import Inputs, Target


def _convert(model: keras.Model, _: Inputs) -> bytes:
    return to_litert(model)


TARGET = Target("LiteRT, float32 weights", LITERT, _convert)
