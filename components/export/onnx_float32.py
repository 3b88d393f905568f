"""ONNX with weights as they were trained."""

import keras

from slimderm.components.export.onnx import ONNX, to_onnx
from slimderm.components.export.target import Inputs, Target


def _convert(model: keras.Model, _: Inputs) -> bytes:
    return to_onnx(model)


TARGET = Target("ONNX, float32 weights", ONNX, _convert)
