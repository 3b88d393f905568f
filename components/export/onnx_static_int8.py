"""ONNX with int8 weights, a scale a channel, and uint8 activations of measured ranges."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras

from slimderm.components.common.errors import ExportError
from slimderm.components.export.litert import words
from slimderm.components.export.onnx import ONNX, to_onnx
from slimderm.components.export.target import Inputs, Target, rows

# What holds weights, and what would else convert between two of them. A person's encoding and the
# temperature stay float.
QUANTISED = ["Conv", "Gemm", "MatMul", "MaxPool", "AveragePool", "GlobalAveragePool"]


def _convert(model: keras.Model, calibration: Inputs) -> bytes:
    with TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "float.onnx").write_bytes(to_onnx(model))
        try:
            _quantise(folder, calibration)
        except Exception as error:  # the library raises what it likes
            raise ExportError(
                f"{model.name}: ONNX Runtime's quantiser refuses the model ({words(error)})"
            ) from error
        return (folder / "int8.onnx").read_bytes()


def _quantise(folder: Path, calibration: Inputs) -> None:
    """Make ``int8.onnx`` of ``float.onnx``."""
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Rows(CalibrationDataReader):  # type: ignore[misc]
        given = rows(calibration)

        def get_next(self) -> dict[str, Any] | None:
            return next(self.given, None)

    # Symbolic inference of shapes fails on these graphs; all sizes are fixed.
    quant_pre_process(folder / "float.onnx", folder / "ready.onnx", skip_symbolic_shape=True)
    quantize_static(
        folder / "ready.onnx",
        folder / "int8.onnx",
        Rows(),
        op_types_to_quantize=QUANTISED,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )


TARGET = Target(
    "ONNX, int8 weights and uint8 activations, ranges from calibration images",
    ONNX,
    _convert,
    calibrated=True,
)
