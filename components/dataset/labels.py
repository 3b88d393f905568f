"""From the words of a table to diagnoses, and from diagnoses to the classes of the paper."""

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

# Diagnosis to what other datasets call it, in lower case. Squamous cell carcinoma (scc) is none of
# HAM10000's: its akiec are actinic keratoses and intraepithelial carcinoma (Bowen's disease).
WORDS: dict[str, tuple[str, ...]] = {
    "akiec": (
        "ak",
        "ack",
        "actinic keratosis",
        "solar or actinic keratosis",
        "squamous cell carcinoma in situ",
        "squamous cell carcinoma in situ, bowens disease",
    ),
    "bcc": ("basal cell carcinoma",),
    "bkl": (
        "sek",
        "seborrheic keratosis",
        "solar lentigo",
        "lichenoid keratosis",
        "lichen planus like keratosis",
        "pigmented benign keratosis",
    ),
    "df": ("dermatofibroma",),
    "mel": (
        "melanoma",
        "melanoma, nos",
        "melanoma invasive",
        "melanoma in situ",
        "melanoma metastasis",
    ),
    "nv": ("nev", "nevus"),
    "scc": (
        "squamous cell carcinoma",
        "squamous cell carcinoma, nos",
        "squamous cell carcinoma, invasive",
    ),
    "vasc": (
        "vascular lesion",
        "hemangioma",
        "angiokeratoma",
        "pyogenic granuloma",
        "benign soft tissue proliferations - vascular",
    ),
}


def diagnosis_to_class(classes: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Invert a mapping of classes to diagnoses.

    Parameters
    ----------
    classes : mapping
        Class name to the diagnoses it gathers, HAM10000's or any other.

    Returns
    -------
    dict of str to str
        Diagnosis to class.

    Raises
    ------
    ParameterError
        If a diagnosis is gathered twice, or no class is ``melanoma``.
    """
    found: dict[str, str] = {}
    for name, diagnoses in classes.items():
        for diagnosis in diagnoses:
            if diagnosis in found:
                raise ParameterError(
                    f"classes: diagnosis {diagnosis!r} stands in {found[diagnosis]!r} and in "
                    f"{name!r}, expected in one class"
                )
            found[diagnosis] = name
    if "melanoma" not in classes:
        raise ParameterError(
            f"classes: received {', '.join(classes)}, expected one named 'melanoma', whose "
            "sensitivity is reported"
        )
    return found


def word_to_diagnosis(
    classes: Mapping[str, Sequence[str]], diagnoses: Mapping[str, str]
) -> dict[str, str]:
    """Give what each word of a table means, of the diagnoses that a class gathers.

    Parameters
    ----------
    classes : mapping
        Class name to the diagnoses it gathers.
    diagnoses : mapping
        Words of the table to diagnoses; these go before `classes`' own names, and those before
        `WORDS`.

    Returns
    -------
    dict of str to str
        Word in lower case to diagnosis.

    Raises
    ------
    ParameterError
        If `diagnoses` names one that no class gathers.
    """
    gathered = diagnosis_to_class(classes)
    found = {word: ours for ours, words in WORDS.items() if ours in gathered for word in words}
    found |= {ours.casefold(): ours for ours in gathered}
    for theirs, ours in diagnoses.items():
        if ours not in gathered:
            raise ParameterError(
                f"diagnoses: received {ours!r} for {theirs!r}, expected one of those that "
                f"ingest.classes gathers: {', '.join(gathered)}"
            )
        found[theirs.strip().casefold()] = ours
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
