"""Parts of decoders that can be followed: masks for any length, attention without a cache."""

from collections.abc import Callable
from functools import partial
from typing import Any

from keras import ops


def causal_mask(
    decoder_sequence: Any,
    decoder_padding_mask: Any,
    decoder_attention_mask: Any,
    use_causal_mask: bool = True,
    window: int | None = None,
    **caches: Any,
) -> Any:
    """Let each place attend to itself and some before, of what other masks leave.

    As the method of that name of keras-hub's decoders, which counts the places in Python.

    Returns
    -------
    KerasTensor of shape (batch, places, places) or None

    Raises
    ------
    NotImplementedError
        For a call with a cache.
    """
    if any(given is not None for given in caches.values()):
        raise NotImplementedError("a cache of keys and values")
    masks = []
    if decoder_padding_mask is not None:
        masks.append(ops.cast(ops.expand_dims(decoder_padding_mask, 1), "int32"))
    if decoder_attention_mask is not None:
        masks.append(ops.cast(decoder_attention_mask, "int32"))
    if use_causal_mask:
        # Counted on zeros: their sum over the channels is the same however many there are.
        zeros = ops.sum(ops.zeros_like(decoder_sequence, dtype="int32"), axis=-1)
        places = ops.cumsum(ops.add(zeros, 1), axis=1)  # (batch, places)
        own, other = ops.expand_dims(places, 2), ops.expand_dims(places, 1)
        masks.append(ops.cast(ops.greater_equal(own, other), "int32"))
        if window is not None:  # so many places, its own among them
            masks.append(ops.cast(ops.less(own, ops.add(other, window)), "int32"))
    found = masks[0] if masks else None
    for mask in masks[1:]:
        found = ops.minimum(found, mask)
    return found


def any_length(method: Any) -> Callable[..., Any]:
    """Return `causal_mask` with the window of the layer whose method it stands for."""
    return partial(causal_mask, window=getattr(method.__self__, "sliding_window", None))


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
