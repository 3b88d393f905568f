"""Age, sex and site as people write them: what is not known is refused, with what is expected."""

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from slimderm.components.common.errors import SchemaError
from slimderm.components.dataset.metadata import MAX_AGE, UNKNOWN


def read_age(given: Any) -> float:
    """Read an age.

    Parameters
    ----------
    given : number or None
        Years. None, NaN: not known.

    Returns
    -------
    float
        Years from 0 to 120, NaN where not known.

    Raises
    ------
    SchemaError
        If it is no such number.
    """
    if _is_missing(given):
        return float("nan")
    is_number = isinstance(given, int | float | np.integer | np.floating)
    if not is_number or isinstance(given, bool) or not 0 <= given <= MAX_AGE:
        raise SchemaError(
            f"received {_shown(given)}, expected years from 0 to {MAX_AGE}, or null where unknown"
        )
    return float(given)


def read_word(given: Any, known: Collection[str]) -> str:
    """Read a sex or a site.

    Parameters
    ----------
    given : str or None
        None, NaN and ``unknown``: not known.
    known : collection of str
        The words that the model knows.

    Returns
    -------
    str
        One of `known`, or ``unknown``.

    Raises
    ------
    SchemaError
        If it is another word; the message lists those that are known.
    """
    if _is_missing(given) or given == UNKNOWN:
        return UNKNOWN
    if given not in known:
        words = ", ".join(word for word in known if word != UNKNOWN)
        raise SchemaError(
            f"received {_shown(given)}, expected one of {words}; or null or '{UNKNOWN}' where it "
            "is unknown or another"
        )
    return str(given)


def _is_missing(given: Any) -> bool:
    return given is None or given is pd.NA or (isinstance(given, float) and np.isnan(given))


def _shown(given: Any) -> str:
    """Write a value as it was given, and not at length."""
    value = given.item() if isinstance(given, np.generic) else given
    return repr(value)[:40]
