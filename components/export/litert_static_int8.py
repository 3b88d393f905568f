"""LiteRT with int8 weights and convolutions of int8 activations, whose ranges were measured.

Dense layers, a few hundredths of the time, find their ranges while they run, as in ``litert-int8``:
measured ranges cost them accuracy and save nothing.
"""

from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any
from warnings import catch_warnings, filterwarnings

import keras
import numpy as np

from slimderm.components.common.errors import ExportError
from slimderm.components.export.litert import LITERT, to_litert, words
from slimderm.components.export.target import Inputs, Target, rows

BITS = 8
STATIC = ("CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "MEAN", "MAX_POOL_2D", "AVERAGE_POOL_2D")
DYNAMIC = ("FULLY_CONNECTED",)
# Of an activation. Channels that are always 0 would have a scale of almost nothing, by which
# LiteRT divides, and refuses the file.
SMALLEST_RANGE = 1e-2
SIGNATURE = "serving_default"


def _convert(model: keras.Model, calibration: Inputs) -> bytes:
    whole = to_litert(model)
    try:
        # It reports its progress, and that it keeps what it measures in memory.
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()), catch_warnings():
            filterwarnings("ignore", ".*experimental_preserve_all_tensors", UserWarning)
            return _quantised(whole, calibration)
    except Exception as error:  # the library raises what it likes
        raise ExportError(
            f"{model.name}: LiteRT's quantiser refuses the model ({words(error)})"
        ) from error


def _quantised(whole: bytes, calibration: Inputs) -> bytes:
    from litert_quantizer import calibrator, qtyping, quantizer, recipe_manager
    from litert_quantizer.utils import qsv_utils

    recipe = recipe_manager.RecipeManager()
    for name in STATIC:
        recipe.add_static_config(".*", qtyping.TFLOperationName(name), BITS, BITS)
    for name in DYNAMIC:
        recipe.add_dynamic_config(".*", qtyping.TFLOperationName(name), BITS)
    # The quantizer's own calibrate takes moving averages of the ranges, which clips.
    measured = calibrator.Calibrator(whole, qsv_update_func=qsv_utils.min_max_update)
    measured.calibrate({SIGNATURE: list(rows(calibration))}, recipe)
    ranges = {name: _widened(found) for name, found in measured.get_model_qsvs().items()}
    made = quantizer.Quantizer(whole, recipe.get_quantization_recipe()).quantize(ranges)
    return bytes(made.quantized_model)


def _widened(found: dict[str, Any]) -> dict[str, Any]:
    """Return a range that is no smaller than `SMALLEST_RANGE`."""
    return found | {"max": np.maximum(found["max"], found["min"] + SMALLEST_RANGE)}


TARGET = Target(
    "LiteRT, int8 weights, convolutions int8 with ranges from calibration images",
    LITERT,
    _convert,
    calibrated=True,
)
