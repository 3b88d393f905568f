"""Parts of decoders that can be followed: masks of windows, attention without a cache."""

from collections.abc import Callable
from typing import Any

from keras import ops


def within_window(method: Any) -> Callable[..., Any]:
    """Return what lets each place attend to so many around it, of what a mask leaves.

    As the method of that name of keras-hub's attention layers, which asks TensorFlow for it. A
    layer that says it otherwise, to both sides by operations, is left to its own method.
    """
    layer = method.__self__
    if getattr(layer, "use_bidirectional_attention", False):
        return method  # type: ignore[no-any-return]

    def mask_sliding_window(attention_mask: Any, cache_update_index: int = 0) -> Any:
        if cache_update_index:
            raise NotImplementedError("a cache of keys and values")
        places = ops.arange(ops.shape(attention_mask)[1])
        apart = ops.abs(ops.expand_dims(places, 1) - ops.expand_dims(places, 0))
        near = ops.expand_dims(ops.less(apart, layer.sliding_window_size), 0)
        return ops.logical_and(attention_mask, near)

    return mask_sliding_window


def without_cache(attention: Any) -> Any:
    """Call an attention layer without the arguments that are for caches alone.

    Keras cannot tell the shape of its output where they are given, be they None.
    """
    if attention is None:
        return None

    def call(
        query: Any, value: Any, attention_mask: Any = None, training: Any = None, **caches: Any
    ) -> Any:
        if any(given is not None for given in caches.values()):
            raise NotImplementedError("a cache of keys and values")
        if training is not None:
            raise NotImplementedError(f"attention with training={training}, which is not kept")
        return attention(query=query, value=value, attention_mask=attention_mask)

    return call
