"""Whether Keras is as these changes expect it; if not, it is left as it is, with one warning."""

import inspect
import warnings
from functools import cache
from typing import Any

import keras


def has_parameters(function: Any, *names: str) -> bool:
    """Tell whether something is a function that takes just these parameters, in this order."""
    return callable(function) and tuple(inspect.signature(function).parameters) == names


@cache
def warn_once(what: str, cost: str) -> None:
    """Warn that Keras differs from the tested one, once a process.

    Parameters
    ----------
    what : str
        What was expected of Keras.
    cost : str
        What its absence costs the user.
    """
    warnings.warn(
        f"Keras {keras.__version__}: received one that lacks {what}, expected it as in Keras 3.15; "
        f"{cost}. Install keras>=3.15,<3.16 to avoid this.",
        RuntimeWarning,
        stacklevel=3,
    )
