"""LiteRT with int8 weights; the runtime finds the ranges of activations while it runs."""

import keras

from slimderm.components.export.litert import LITERT, to_litert
from slimderm.components.export.target import Inputs, Target


def _convert(model: keras.Model, _: Inputs) -> bytes:
    return to_litert(model, optimise=True)


TARGET = Target("LiteRT, int8 weights, activations quantised while it runs", LITERT, _convert)
