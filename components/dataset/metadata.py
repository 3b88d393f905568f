"""The table beside the images: read it, check its columns, set faulty rows apart."""

import csv
import warnings
from pathlib import Path

import pandas as pd

from slimderm.components.common.errors import SchemaError
from slimderm.components.dataset.labels import DIAGNOSES, NEGATIVE

REQUIRED_COLUMNS = ("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization")
UNKNOWN = "unknown"
MAX_AGE = 120


def read_metadata(path: Path) -> pd.DataFrame:
    """Read ``HAM10000_metadata`` as text, one row an image.

    Parameters
    ----------
    path : path
        Comma-separated, or tab-separated as its publisher serves it.

    Returns
    -------
    DataFrame
        `REQUIRED_COLUMNS` and ``dataset``; every value a str, "" where it is empty, NaN where the
        row ends before it.

    Raises
    ------
    SchemaError
        If the file is missing, empty, no table, lacks a column, has a row longer than its header,
        or holds an unknown diagnosis.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                path,
                sep=None,
                engine="python",
                index_col=False,
                dtype=str,
                keep_default_na=False,
                encoding="utf-8-sig",
            )
    except (OSError, ValueError, csv.Error, pd.errors.ParserWarning) as error:
        raise SchemaError(f"{path}: cannot be read as a table ({error})") from error
    table.columns = table.columns.str.strip()
    missing = [name for name in REQUIRED_COLUMNS if name not in table]
    if missing:
        raise SchemaError(
            f"{path}: lacks {', '.join(missing)}; received columns {', '.join(table.columns)}"
        )
    if table.empty:
        raise SchemaError(f"{path}: received no row, expected one for each image")
    if "dataset" not in table:
        table["dataset"] = ""
    table = table[[*REQUIRED_COLUMNS, "dataset"]].apply(lambda column: column.str.strip())
    unknown = sorted(set(table["dx"].dropna()) - {*DIAGNOSES, NEGATIVE, ""})
    if unknown:
        raise SchemaError(
            f"{path}: received dx {', '.join(map(repr, unknown))}, expected one of "
            f"{', '.join((*DIAGNOSES, NEGATIVE))}"
        )
    return table


def unknown_metadata(files: list[Path]) -> pd.DataFrame:
    """Make rows for negative images that come without a table: each file its own lesion."""
    rows = {
        "lesion_id": [f"{NEGATIVE}_{path.stem}" for path in files],
        "image_id": [path.stem for path in files],
        "dx": NEGATIVE,
        "dx_type": "",
        "age": "",
        "sex": UNKNOWN,
        "localization": UNKNOWN,
        "dataset": "",
    }
    return pd.DataFrame(rows, dtype=str)


def check_rows(table: pd.DataFrame) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    """Set faulty rows apart and give the rest their types.

    Parameters
    ----------
    table : DataFrame
        As `read_metadata` gives it.

    Returns
    -------
    rows : DataFrame
        ``age`` in years, NaN where unknown; ``sex`` and ``localization`` "unknown" where empty.
    faults : list of dict
        ``image_id``, ``reason`` and ``detail`` of each row set apart.
    """
    faults = []
    short = table.isna().any(axis=1)
    table = table.fillna("")
    years = pd.to_numeric(table["age"].replace({"": None, UNKNOWN: None}), errors="coerce")
    stated = ~table["age"].str.lower().isin(("", UNKNOWN, "nan"))
    wrong = {
        "row cut short": short,
        "row without image_id": table["image_id"] == "",
        "row without lesion_id": table["lesion_id"] == "",
        "row without dx": table["dx"] == "",
        "duplicate row": table["image_id"].duplicated(keep="first") & (table["image_id"] != ""),
        "bad age": stated & ~years.between(0, MAX_AGE),
    }
    kept = pd.Series(data=True, index=table.index)
    for reason, mask in wrong.items():
        for index in table.index[mask & kept]:
            row = table.loc[index]
            detail = f"row {index + 2}: " + ", ".join(f"{k}={v}" for k, v in row.items() if v)
            faults.append({"image_id": row["image_id"], "reason": reason, "detail": detail})
        kept &= ~mask
    rows = table[kept].copy()
    rows["age"] = years[kept].astype(float)
    for column in ("sex", "localization"):
        rows[column] = rows[column].replace("", UNKNOWN)
    return rows, faults
