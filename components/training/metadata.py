"""Age, sex and localization as three numbers, fitted on the training part alone (section 4.1)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from slimderm.components.common.errors import SchemaError

COLUMNS = ("age", "sex", "localization")
UNKNOWN = "unknown"


@dataclass(frozen=True)
class MetadataEncoder:
    """Median fill and standardisation of age, label codes in [0, 1] of sex and localization.

    A category that the training part did not hold, and a missing value, is `UNKNOWN`, which is
    always code 0.
    """

    age_median: float
    age_mean: float
    age_deviation: float
    sexes: tuple[str, ...]
    localizations: tuple[str, ...]

    @classmethod
    def fit(cls, frame: pd.DataFrame) -> Self:
        """Learn median, mean, deviation and categories.

        Parameters
        ----------
        frame : pandas.DataFrame
            The training part, with columns age (years, NaN where unknown), sex and localization.
            Where no age at all is known, median and mean are 0 and the deviation 1.

        Raises
        ------
        SchemaError
            When a column is missing or the table is empty.
        """
        _check(frame)
        if frame.empty:
            raise SchemaError("metadata: received no rows, expected the training part")
        ages = frame["age"].to_numpy(np.float64)
        known = ages[~np.isnan(ages)]
        median = float(np.median(known)) if known.size else 0.0
        filled = np.where(np.isnan(ages), median, ages)
        return cls(
            age_median=median,
            age_mean=float(filled.mean()),
            # A constant age carries nothing: a deviation of 1 makes it 0 instead of NaN.
            age_deviation=float(filled.std()) or 1.0,
            sexes=_categories(frame["sex"]),
            localizations=_categories(frame["localization"]),
        )

    def transform(self, frame: pd.DataFrame) -> npt.NDArray[np.float32]:
        """Encode rows.

        Parameters
        ----------
        frame : pandas.DataFrame
            Columns age, sex and localization.

        Returns
        -------
        numpy.ndarray
            (N, 3) float32: standardised age, sex code and localization code in [0, 1].

        Raises
        ------
        SchemaError
            When a column is missing.
        """
        _check(frame)
        ages = frame["age"].to_numpy(np.float64)
        filled = np.where(np.isnan(ages), self.age_median, ages)
        columns = (
            (filled - self.age_mean) / self.age_deviation,
            _codes(frame["sex"], self.sexes),
            _codes(frame["localization"], self.localizations),
        )
        return np.stack(columns, axis=1).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold; `from_dict` takes them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Rebuild an encoder from what `to_dict` gave.

        Raises
        ------
        SchemaError
            When a value is missing or unknown.
        """
        expected = set(cls.__dataclass_fields__)
        if set(values) != expected:
            raise SchemaError(
                f"metadata encoder: received {sorted(values)}, expected {sorted(expected)}; "
                "take what to_dict gave"
            )
        categories = {name: tuple(values[name]) for name in ("sexes", "localizations")}
        return cls(**{**values, **categories})


def _check(frame: pd.DataFrame) -> None:
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise SchemaError(
            f"metadata: received columns {list(frame.columns)}, expected {list(COLUMNS)} among "
            f"them; add {missing}"
        )


def _named(column: "pd.Series[Any]") -> list[str]:
    return [str(value) for value in column.fillna(UNKNOWN)]


def _categories(column: "pd.Series[Any]") -> tuple[str, ...]:
    return (UNKNOWN, *sorted(set(_named(column)) - {UNKNOWN}))


def _codes(column: "pd.Series[Any]", categories: Sequence[str]) -> npt.NDArray[np.float64]:
    code = {name: index for index, name in enumerate(categories)}
    codes = np.array([code.get(name, 0) for name in _named(column)], np.float64)
    return codes / max(1, len(categories) - 1)
