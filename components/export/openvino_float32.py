"""ONNX with weights as they were trained, run by OpenVINO, which may compute in fewer bits."""

import keras

from slimderm.components.export.onnx import to_onnx
from slimderm.components.export.target import Inputs, Runtime, Target


def _convert(model: keras.Model, _: Inputs) -> bytes:
    return to_onnx(model)


OPENVINO = Runtime("openvino", "openvino", "openvino==2026.4.1", ".onnx")
TARGET = Target("ONNX for OpenVINO, float32 weights", OPENVINO, _convert)
