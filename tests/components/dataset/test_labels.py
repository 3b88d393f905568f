import pytest

from slimderm.components.common.errors import ParameterError
from slimderm.components.dataset.labels import PAPER_CLASSES, class_names, diagnosis_to_class


def test_the_papers_classes():
    found = diagnosis_to_class(PAPER_CLASSES)
    assert found["mel"] == "melanoma"
    assert found["nv"] == "nevus"
    assert {found[name] for name in ("akiec", "bcc", "bkl", "df", "vasc")} == {"other"}
    assert class_names(PAPER_CLASSES, {"mel", "nv", "df"}) == ("melanoma", "nevus", "other")
    assert len(class_names(PAPER_CLASSES, {"mel", "nv", "df", "negative"})) == 4


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"other": ("akiec",)}, "no class gathers bcc, bkl, df, vasc"),
        ({"nevus": ("nv", "mel")}, "'mel' stands in 'melanoma' and in 'nevus'"),
        ({"nevus": ("nv", "wart")}, "received diagnosis 'wart'"),
    ],
)
def test_a_mapping_that_is_none_is_refused(change, said):
    with pytest.raises(ParameterError, match=said):
        diagnosis_to_class({**PAPER_CLASSES, **change})


def test_there_must_be_a_melanoma_class():
    classes = {"bad": PAPER_CLASSES["melanoma"], **PAPER_CLASSES}
    del classes["melanoma"]
    with pytest.raises(ParameterError, match="expected one named 'melanoma'"):
        diagnosis_to_class(classes)
