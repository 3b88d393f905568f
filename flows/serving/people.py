"""What is known of the people whose images lie in a folder: a table beside it."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from slimderm.components.classification.classifier import Classifier
from slimderm.components.common.errors import SchemaError

KNOWN = ("image_id", "lesion_id", "age", "sex", "localization")
AGAIN = "again"  # whether a row before it shows the same lesion


def read_table(path: Path | None) -> pd.DataFrame:
    """Read people's metadata: ``image_id``, any of lesion_id, age (years), sex, localization.

    Returns
    -------
    DataFrame
        Index ``image_id``; age float, the others str; NaN where nothing is given.

    Raises
    ------
    SchemaError
        If there is no such table, it lacks ``image_id``, names an image twice, or an age is no
        number.
    """
    if path is None:
        return pd.DataFrame(columns=list(KNOWN)).set_index("image_id")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise SchemaError(f"{path}: cannot be read as a table ({error})") from error
    if "image_id" not in table:
        raise SchemaError(f"{path}: received columns {', '.join(table)}, expected image_id")
    if table["image_id"].duplicated().any():
        twice = table.loc[table["image_id"].duplicated(), "image_id"].iloc[0]
        raise SchemaError(f"{path}: received image_id {twice!r} twice, expected each once")
    table = table.reindex(columns=list(KNOWN), fill_value="").set_index("image_id")
    table = table.mask(table == "")
    ages = pd.to_numeric(table["age"], errors="coerce")
    wrong = table["age"].notna() & ages.isna()
    if wrong.any():
        raise SchemaError(
            f"{path}: received age {table.loc[wrong, 'age'].iloc[0]!r} of "
            f"{wrong.index[wrong][0]!r}, expected years, or nothing"
        )
    return table.assign(age=ages)


def people_of(files: Sequence[Path], metadata: Path | None, classifier: Classifier) -> pd.DataFrame:
    """Read what is known of the person of each image, in the order of the files.

    Returns
    -------
    DataFrame
        As `Classifier.people` gives it, and `AGAIN`.

    Raises
    ------
    SchemaError
        As `read_table`, or where a value is none that the model knows.
    """
    asked = read_table(metadata).reindex([path.stem for path in files])
    try:
        people = classifier.people(asked)
    except SchemaError as error:
        raise SchemaError(f"{metadata}: {error}") from None
    lesions = asked["lesion_id"]
    return people.assign(**{AGAIN: lesions.notna() & lesions.duplicated()})
