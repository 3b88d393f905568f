"""What tf2onnx lacks: erfc, which TensorFlow's exact GELU asks for. To import it adds it."""

from typing import Any

import numpy as np
from tf2onnx.handler import tf_op
from tf2onnx.utils import map_onnx_to_numpy_type


@tf_op("Erfc")
class Erfc:
    """erfc(x) as 1 - erf(x)."""

    @classmethod
    def version_9(cls, graph: Any, node: Any, **_: Any) -> None:
        """Put both operations in the place of one, from opset 9, which brought erf."""
        output = node.output[0]
        dtype, shape = graph.get_dtype(output), graph.get_shape(output)
        graph.remove_node(node.name)
        erf = graph.make_node("Erf", node.input, shapes=[shape], dtypes=[dtype])
        one = graph.make_const(f"{node.name}/one", np.array(1, map_onnx_to_numpy_type(dtype)))
        inputs = [one.output[0], erf.output[0]]
        where = {"outputs": [output], "shapes": [shape], "dtypes": [dtype]}
        graph.make_node("Sub", inputs, name=node.name, **where)
