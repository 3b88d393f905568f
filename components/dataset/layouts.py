"""The layouts of datasets that are read as they come: one line each.

A layout is known by the columns of its table, whatever the table's name and wherever it lies.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

REQUIRED_COLUMNS = ("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization")
METADATA = "HAM10000_metadata"

Columns = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Layout:
    """How a dataset's table names what we need.

    Attributes
    ----------
    name : str
        As messages have it.
    marks : tuple of str
        The columns by which its table is known.
    columns : mapping
        Ours (`REQUIRED_COLUMNS`) to theirs; of several the first that holds something, row by row.
        Of ``dx`` the first that holds a diagnosis which a class gathers.
    one_hot : tuple of str
        Columns of diagnoses, of which a row has the largest number in its own.
    patient : str
        Their column of the patient, whose images stay together where no lesion is named.
    beside : tuple of tuple of str
        The marks of further tables about the same images; the first column names the image.
    """

    name: str
    marks: tuple[str, ...]
    columns: Columns = field(default_factory=dict)
    one_hot: tuple[str, ...] = ()
    patient: str = ""
    beside: tuple[tuple[str, ...], ...] = ()


ISIC_2018 = ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")
ISIC_2019 = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK")
HAM10000 = Layout(
    "HAM10000", REQUIRED_COLUMNS, {name: (name,) for name in (*REQUIRED_COLUMNS, "dataset")}
)
LAYOUTS = (
    HAM10000,
    Layout(
        "ISIC 2018 challenge",
        ("image", *ISIC_2018),
        {
            "image_id": ("image",),
            "lesion_id": ("lesion_id",),
            "dx_type": ("diagnosis_confirm_type",),
        },
        one_hot=ISIC_2018,
        beside=(("image", "lesion_id", "diagnosis_confirm_type"),),
    ),
    Layout(
        "ISIC 2019 challenge",
        ("image", *ISIC_2019),
        {
            "image_id": ("image",),
            "lesion_id": ("lesion_id",),
            "age": ("age_approx",),
            "sex": ("sex",),
            "localization": ("anatom_site_general",),
        },
        one_hot=ISIC_2019,
        beside=(("image", "age_approx", "anatom_site_general", "sex"),),
    ),
    Layout(
        "ISIC 2020 challenge",
        ("image_name", "patient_id", "diagnosis", "benign_malignant", "target"),
        {
            "image_id": ("image_name",),
            "lesion_id": ("lesion_id",),  # of the second version alone
            "dx": ("diagnosis",),
            "age": ("age_approx",),
            "sex": ("sex",),
            "localization": ("anatom_site_general_challenge",),
        },
        patient="patient_id",
    ),
    Layout(
        "isic-cli",
        ("isic_id", "copyright_license"),
        {
            "image_id": ("isic_id",),
            "lesion_id": ("lesion_id",),
            "dx": (*(f"diagnosis_{level}" for level in (5, 4, 3, 2, 1)), "diagnosis"),
            "dx_type": ("diagnosis_confirm_type",),
            "age": ("age_approx",),
            "sex": ("sex",),
            "localization": ("anatom_site_general", "anatom_site_1"),
        },
        patient="patient_id",
    ),
    Layout(
        "BCN20000",
        ("bcn_filename", "diagnosis"),
        {
            "image_id": ("bcn_filename",),
            "lesion_id": ("lesion_id",),
            "dx": ("diagnosis",),
            "age": ("age_approx",),
            "sex": ("sex",),
            "localization": ("anatom_site_general",),
        },
    ),
    Layout(
        "PAD-UFES-20",
        ("img_id", "diagnostic"),
        {
            "image_id": ("img_id",),
            "lesion_id": ("lesion_id",),
            "dx": ("diagnostic",),
            "dx_type": ("biopsed",),
            "age": ("age",),
            "sex": ("gender",),
            "localization": ("region",),
        },
        patient="patient_id",
    ),
)


def own_layout(columns: Mapping[str, str]) -> Layout:
    """Make a layout of ``ingest.columns`` (ours: theirs)."""
    return Layout("ingest.columns", tuple(columns.values()), {k: (v,) for k, v in columns.items()})
