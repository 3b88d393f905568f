"""From the diagnoses of HAM10000 to the classes of the paper."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from components.errors import ParameterError, SchemaError

DIAGNOSES = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
NEGATIVE = "negative"

# Section 3: melanoma and nevi kept, the rest gathered, the negative samples a class of their own.
PAPER_CLASSES: dict[str, tuple[str, ...]] = {
    "melanoma": ("mel",),
    "nevus": ("nv",),
    "other": ("akiec", "bcc", "bkl", "df", "vasc"),
    "negative": (NEGATIVE,),
}


def diagnosis_to_class(classes: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Invert a mapping of classes to diagnoses.

    Parameters
    ----------
    classes : mapping
        Class name to the diagnoses it gathers.

    Returns
    -------
    dict of str to str
        Diagnosis to class.

    Raises
    ------
    ParameterError
        If a diagnosis is unknown, gathered twice or by no class, or no class is ``melanoma``.
    """
    found: dict[str, str] = {}
    for name, diagnoses in classes.items():
        for diagnosis in diagnoses:
            if diagnosis not in (*DIAGNOSES, NEGATIVE):
                raise ParameterError(
                    f"classes: received diagnosis {diagnosis!r} in {name!r}, expected one of "
                    f"{', '.join((*DIAGNOSES, NEGATIVE))}"
                )
            if diagnosis in found:
                raise ParameterError(
                    f"classes: diagnosis {diagnosis!r} stands in {found[diagnosis]!r} and in "
                    f"{name!r}, expected in one class"
                )
            found[diagnosis] = name
    missing = [diagnosis for diagnosis in DIAGNOSES if diagnosis not in found]
    if missing:
        raise ParameterError(f"classes: no class gathers {', '.join(missing)}; add them to one")
    if "melanoma" not in classes:
        raise ParameterError(
            f"classes: received {', '.join(classes)}, expected one named 'melanoma', whose "
            "sensitivity is reported"
        )
    return found


def class_names(classes: Mapping[str, Sequence[str]], present: Collection[str]) -> tuple[str, ...]:
    """List the classes that occur, in the order of `classes`.

    Parameters
    ----------
    classes : mapping
        Class name to the diagnoses it gathers.
    present : collection of str
        The diagnoses that occur.

    Returns
    -------
    tuple of str
        Without negative images the paper's four classes are three.
    """
    return tuple(name for name, gathered in classes.items() if set(gathered) & set(present))


def one_hot(labels: npt.NDArray[np.int64], num_classes: int) -> npt.NDArray[np.float32]:
    """Encode class indices (N,) as rows of 0 and 1 (N, num_classes).

    Raises
    ------
    SchemaError
        If an index lies outside [0, num_classes).
    """
    if len(labels) and not 0 <= labels.min() <= labels.max() < num_classes:
        raise SchemaError(
            f"labels: received indices from {labels.min()} to {labels.max()}, expected 0 to "
            f"{num_classes - 1}"
        )
    return np.eye(num_classes, dtype=np.float32)[labels]
