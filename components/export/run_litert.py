"""How LiteRT runs a file; read by measure.py, in a process that has nothing of SlimDerm."""

from collections.abc import Callable, Mapping
from typing import Any


def load(file: str, threads: int) -> Callable[[Mapping[str, Any]], Any]:
    """Return what gives an image's probabilities, (1, C), of its inputs by name."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=file, num_threads=threads)
    interpreter.allocate_tensors()  # else the first image waits for it
    run = interpreter.get_signature_runner()
    return lambda row: run(**row)["probabilities"]
