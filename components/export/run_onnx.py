"""How ONNX Runtime runs a file; read by measure.py, in a process that has nothing of SlimDerm."""

from collections.abc import Callable, Mapping
from typing import Any


def load(file: str, threads: int) -> Callable[[Mapping[str, Any]], Any]:
    """Return what gives an image's probabilities, (1, C), of its inputs by name."""
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = threads
    session = InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda row: session.run(["probabilities"], dict(row))[0]
