"""All targets of export by name."""

from slimderm.components.common.checks import look_up
from slimderm.components.export.litert_float16 import TARGET as LITERT_FLOAT16
from slimderm.components.export.litert_float32 import TARGET as LITERT_FLOAT32
from slimderm.components.export.litert_int8 import TARGET as LITERT_INT8
from slimderm.components.export.target import Target

TARGETS: dict[str, Target] = {
    "litert-float32": LITERT_FLOAT32,
    "litert-float16": LITERT_FLOAT16,
    "litert-int8": LITERT_INT8,
}


def get(name: str) -> Target:
    """Look up a target by its name.

    Raises
    ------
    ParameterError
        When no target has that name; the message lists the names.
    """
    return look_up("target", name, TARGETS)
