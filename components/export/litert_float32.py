"""LiteRT with weights as they were trained: the baseline for the smaller ones."""

import keras

from slimderm.components.export.litert import to_litert
from slimderm.components.export.target import Target


def _convert(model: keras.Model) -> bytes:
    return to_litert(model)


TARGET = Target("LiteRT, float32 weights", _convert)
