"""One value, written once."""

from typing import Any

import numpy as np

from slimderm.components.common.errors import SlimFileError
from slimderm.components.network_compression.codings.base import Bits, exactly, little


def encode(bits: Bits) -> bytes | None:
    """Write the first value, if all are the same."""
    return little(bits[:1]) if bits.size and bool((bits == bits[0]).all()) else None


def decode(data: memoryview, count: int, dtype: np.dtype[Any]) -> Bits:
    """Repeat the value."""
    if count == 0:
        raise SlimFileError("received one value for a weight that has none")
    return np.full(count, exactly(data, 1, dtype)[0], dtype)
