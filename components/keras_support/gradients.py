"""Functions whose gradient is another than their own, on any backend of Keras."""

from collections.abc import Callable
from typing import Any

import keras


def with_gradient(
    forward: Callable[[Any], Any], backward: Callable[[Any, Any], Any]
) -> Callable[[Any], Any]:
    """Return a function of one tensor that is derived as `backward` says.

    Parameters
    ----------
    forward : callable
        From a tensor to a tensor. What it is called with must be a tensor, no variable: TensorFlow
        derives no function of a variable itself.
    backward : callable
        From that tensor and the gradient by the result to the gradient by the tensor.
    """

    def derived(tensor: Any) -> Any:
        def gradient(*upstreams: Any, upstream: Any = None) -> Any:
            return backward(tensor, upstreams[0] if upstream is None else upstream)

        return forward(tensor), gradient

    made: Callable[[Any], Any] = keras.ops.custom_gradient(derived)
    return made
