"""Frozen dataclasses whose fields know their own range.

One class derived from `Settings` stands for one section of ``params.yaml``. A field says what it
may be where it is declared::

    @dataclass(frozen=True)
    class CompressSettings(Settings):
        quality: int = setting(95, low=1, high=100)
"""

import math
from collections.abc import Collection
from dataclasses import Field, dataclass, field, fields
from typing import Any

from slimderm.components.common.errors import ParameterError


def setting(
    default: Any,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: Collection[Any] | None = None,
) -> Any:
    """Declare a dataclass field together with its range.

    Parameters
    ----------
    default : Any
        The value taken where ``params.yaml`` is silent. Lists and dicts are copied per instance.
    low, high : float, optional
        Smallest and largest permitted number, inclusive. For a tuple, of each element.
    above, below : float, optional
        Exclusive bounds.
    choices : collection, optional
        The only permitted values. For a tuple, of each element.

    Returns
    -------
    dataclasses.Field
        To be assigned in the class body of a `Settings` subclass.
    """
    metadata = {"low": low, "high": high, "above": above, "below": below, "choices": choices}
    if isinstance(default, list | dict):
        kind = type(default)
        return field(default_factory=lambda: kind(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def describe_range(declared: "Field[Any]") -> str:
    """Say in words which values a field admits, e.g. ``"a number in [1, 100]"``."""
    bounds = declared.metadata
    if bounds.get("choices") is not None:
        return "one of " + ", ".join(map(str, bounds["choices"]))
    left = f"[{bounds['low']}" if bounds.get("low") is not None else None
    left = left or (f"({bounds['above']}" if bounds.get("above") is not None else "(-inf")
    right = f"{bounds['high']}]" if bounds.get("high") is not None else None
    right = right or (f"{bounds['below']})" if bounds.get("below") is not None else "inf)")
    return f"a number in {left}, {right}"


def _admits(value: Any, bounds: Any) -> bool:
    if bounds.get("choices") is not None:
        return value in bounds["choices"]
    limits = {name: bounds.get(name) for name in ("low", "high", "above", "below")}
    if all(limit is None for limit in limits.values()):
        return True
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return False
    return (
        (limits["low"] is None or value >= limits["low"])
        and (limits["high"] is None or value <= limits["high"])
        and (limits["above"] is None or value > limits["above"])
        and (limits["below"] is None or value < limits["below"])
    )


@dataclass(frozen=True)
class Settings:
    """Base of every section of ``params.yaml``: checks each field against its declared range.

    Raises
    ------
    ParameterError
        When a value lies outside its field's range; the message names field, value and range.
    """

    def __post_init__(self) -> None:
        for declared in fields(self):
            value = getattr(self, declared.name)
            if value is None:
                continue
            for element in value if isinstance(value, tuple) else (value,):
                if declared.metadata and not _admits(element, declared.metadata):
                    raise ParameterError(
                        f"{declared.name}: received {element!r}, expected "
                        f"{describe_range(declared)}"
                    )
