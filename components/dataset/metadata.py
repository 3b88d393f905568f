"""The rows of a table: read them as text, set faulty ones apart, give the rest their types."""

import csv
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from slimderm.components.common.errors import SchemaError
from slimderm.components.dataset.labels import NEGATIVE
from slimderm.components.dataset.layouts import REQUIRED_COLUMNS
from slimderm.components.dataset.quarantine import Fault, fault

UNKNOWN = "unknown"
MAX_AGE = 120
# How tables say that a value is missing, in lower case.
MISSING = {"", "unknown", "unk", "nan", "na", "n/a", "n.a.", "#n/a", "<na>", "none", "null", "nil"}
MISSING |= {
    "missing",
    "not available",
    "not provided",
    "not reported",
    "not stated",
    "-",
    "--",
    "?",
}
MISSING |= {".", "nd", "n/d", "nat"}
AT_FAULT = {"diagnosis in no class": "dx", "bad age": "age"}  # reason to the column
SEXES = {"m": "male", "f": "female"}


def read_text(path: Path) -> pd.DataFrame:
    """Read a table as text, whatever it is separated by.

    Returns
    -------
    DataFrame
        Every value a str without spaces around it, "" where it is empty, NaN where the row ends
        before it.

    Raises
    ------
    SchemaError
        If the file is missing, empty, no table, or has a row longer than its header.
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
    return table.apply(lambda column: column.str.strip())


def read_metadata(path: Path) -> pd.DataFrame:
    """Read a table in HAM10000's own layout.

    Returns
    -------
    DataFrame
        `REQUIRED_COLUMNS` and ``dataset``, as `read_text` gives them.

    Raises
    ------
    SchemaError
        As `read_text`, or if it lacks a column or has no row.
    """
    table = read_text(path)
    missing = [name for name in REQUIRED_COLUMNS if name not in table]
    if missing:
        raise SchemaError(
            f"{path}: lacks {', '.join(missing)}; received columns {', '.join(table.columns)}; "
            "say in ingest.columns what they are called there (ours: theirs)"
        )
    if table.empty:
        raise SchemaError(f"{path}: received no row, expected one for each image")
    if "dataset" not in table:
        table["dataset"] = ""
    return table[[*REQUIRED_COLUMNS, "dataset"]]


def unknown_metadata(files: Iterable[Path]) -> pd.DataFrame:
    """Make rows for negative images that come without a table: each file its own lesion."""
    stems = [path.stem for path in files]
    rows = {
        "lesion_id": [f"{NEGATIVE}_{stem}" for stem in stems],
        "image_id": stems,
        "dx": NEGATIVE,
        "dx_type": "",
        "age": "",
        "sex": UNKNOWN,
        "localization": UNKNOWN,
        "dataset": "",
    }
    return pd.DataFrame(rows, dtype=str).drop_duplicates("image_id", ignore_index=True)


def is_missing(column: pd.Series) -> pd.Series:
    """Where a column says in some spelling that it holds nothing."""
    return column.str.casefold().isin(MISSING)


def check_rows(table: pd.DataFrame, words: Mapping[str, str]) -> tuple[pd.DataFrame, list[Fault]]:
    """Set faulty rows apart and give the rest their types.

    Parameters
    ----------
    table : DataFrame
        As `read_metadata` gives it.
    words : mapping
        Word in lower case to diagnosis, as `slimderm.components.dataset.labels.word_to_diagnosis`
        gives it.

    Returns
    -------
    rows : DataFrame
        ``dx`` a diagnosis that a class gathers, ``age`` in years, NaN where unknown; ``sex`` and
        ``localization`` in lower case, "unknown" where missing.
    faults : list of dict
        The rows set apart, as the quarantine has them.
    """
    short = table.isna().any(axis=1)
    table = table.fillna("")
    years = pd.to_numeric(table["age"].str.replace(",", ".", n=1, regex=False), errors="coerce")
    diagnosis = table["dx"].str.casefold().map(words)
    wrong = {
        "row cut short": short,
        "row without image_id": table["image_id"] == "",
        "row without lesion_id": table["lesion_id"] == "",
        "row without dx": table["dx"] == "",
        "diagnosis in no class": (table["dx"] != "") & diagnosis.isna(),
        "duplicate row": table["image_id"].duplicated(keep="first") & (table["image_id"] != ""),
        "bad age": ~is_missing(table["age"]) & ~years.between(0, MAX_AGE),
    }
    faults = []
    kept = pd.Series(data=True, index=table.index)
    for reason, mask in wrong.items():
        for index in table.index[mask & kept]:
            row = table.loc[index]
            detail = f"row {index + 2}: " + ", ".join(f"{k}={v}" for k, v in row.items() if v)
            if reason in AT_FAULT:
                detail = f"{AT_FAULT[reason]} {row[AT_FAULT[reason]]!r}; {detail}"
            faults.append(fault(reason, image_id=row["image_id"], detail=detail))
        kept &= ~mask
    rows = table[kept].copy()
    rows["dx"], rows["age"] = diagnosis[kept], years[kept].astype(float)
    for column in ("sex", "localization"):
        rows[column] = rows[column].str.casefold().mask(is_missing(rows[column]), UNKNOWN)
    rows["sex"] = rows["sex"].replace(SEXES)
    return rows, faults
