"""How OpenVINO runs a file; read by measure.py, in a process that has nothing of SlimDerm."""

from collections.abc import Callable, Mapping
from typing import Any


def load(file: str, threads: int) -> Callable[[Mapping[str, Any]], Any]:
    """Return what gives an image's probabilities, (1, C), of its inputs by name."""
    import openvino

    settings = {"INFERENCE_NUM_THREADS": threads}
    model = openvino.Core().compile_model(file, "CPU", settings)
    return lambda row: model(dict(row))["probabilities"]
