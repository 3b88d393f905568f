"""From the diagnoses of HAM10000 to the classes of the paper."""

from collections.abc import Collection, Mapping, Sequence

from slimderm.components.common.errors import ParameterError

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
