"""All targets of export by name."""

from slimderm.components.common.checks import look_up
from slimderm.components.export.litert_float16 import TARGET as LITERT_FLOAT16
from slimderm.components.export.litert_float32 import TARGET as LITERT_FLOAT32
from slimderm.components.export.litert_int8 import TARGET as LITERT_INT8
from slimderm.components.export.litert_static_int8 import TARGET as LITERT_STATIC_INT8
from slimderm.components.export.onnx_float32 import TARGET as ONNX_FLOAT32
from slimderm.components.export.onnx_static_int8 import TARGET as ONNX_STATIC_INT8
from slimderm.components.export.openvino_float32 import TARGET as OPENVINO_FLOAT32
from slimderm.components.export.target import Target

TARGETS: dict[str, Target] = {
    "litert-float32": LITERT_FLOAT32,
    "litert-float16": LITERT_FLOAT16,
    "litert-int8": LITERT_INT8,
    "litert-static-int8": LITERT_STATIC_INT8,
    "onnx-float32": ONNX_FLOAT32,
    "onnx-static-int8": ONNX_STATIC_INT8,
    "openvino-float32": OPENVINO_FLOAT32,
}


def get(name: str) -> Target:
    """Look up a target by its name.

    Raises
    ------
    ParameterError
        When no target has that name; the message lists the names.
    """
    return look_up("target", name, TARGETS)


def installed() -> list[str]:
    """Name the targets whose runtime can be imported here."""
    return [name for name, target in TARGETS.items() if target.runtime.is_installed]
