import pytest

from slimderm.components.common.errors import ParameterError
from slimderm.components.dataset.labels import (
    PAPER_CLASSES,
    class_names,
    diagnosis_to_class,
    word_to_diagnosis,
)


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
        ({"nevus": ("nv", "mel")}, "'mel' stands in 'melanoma' and in 'nevus'"),
        ({"nevus": ("nv", "nv")}, "'nv' stands in 'nevus' and in 'nevus'"),
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


OWN = {"melanoma": ("melanoma", "mm"), "benign": ("nv", "wart", "Nevus")}


def test_diagnoses_beyond_the_seven_are_those_that_classes_name():
    assert diagnosis_to_class(OWN)["wart"] == "benign"


def test_the_words_of_the_user_go_before_those_of_the_classes_and_those_before_ours():
    words = word_to_diagnosis(OWN, {" Verruca ": "wart", "MM": "melanoma"})
    assert words["verruca"] == "wart"
    assert words["mm"] == "melanoma"
    assert words["nevus"] == "Nevus"  # a class names it, so it is not nv
    assert words["nev"] == "nv"
    assert "basal cell carcinoma" not in words  # no class gathers bcc


def test_a_word_for_what_no_class_gathers_is_refused():
    with pytest.raises(ParameterError, match="received 'scc' for 'SCC', expected one of"):
        word_to_diagnosis(OWN, {"SCC": "scc"})
