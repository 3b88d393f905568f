"""Each layout of the field, as its publisher names its columns, and one that nobody knows."""

import numpy as np
import pytest

from slimderm.components.common.errors import ParameterError, SchemaError
from slimderm.components.dataset.catalog import ingest
from slimderm.components.dataset.labels import PAPER_CLASSES
from slimderm.components.dataset.layouts import LAYOUTS
from slimderm.components.dataset.settings import IngestSettings

WITH_SCC = PAPER_CLASSES | {"other": (*PAPER_CLASSES["other"], "scc")}
HAM = """\
lesion_id,image_id,dx,dx_type,age,sex,localization,dataset
HAM_0000118,ISIC_0027419,bkl,histo,80.0,male,scalp,vidir_modern
HAM_0000118,ISIC_0025030,bkl,histo,80.0,male,scalp,vidir_modern
HAM_0002730,ISIC_0026769,mel,histo,,unknown,unknown,rosendahl
"""
ISIC_2018 = """\
image,MEL,NV,BCC,AKIEC,BKL,DF,VASC
ISIC_0024306,0.0,1.0,0.0,0.0,0.0,0.0,0.0
ISIC_0024307,0.0,0.0,0.0,1.0,0.0,0.0,0.0
ISIC_0024308,1.0,0.0,0.0,0.0,0.0,0.0,0.0
"""
GROUPS_2018 = """\
image,lesion_id,diagnosis_confirm_type
ISIC_0024306,HAM_0000550,follow-up
ISIC_0024307,HAM_0003577,histopathology
ISIC_0024308,HAM_0000550,follow-up
"""
ISIC_2019 = """\
image,MEL,NV,BCC,AK,BKL,DF,VASC,SCC,UNK
ISIC_0000000,0.0,1.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0
ISIC_0000002,1.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0
ISIC_0000004,0.0,0.0,0.0,1.0,0.0,0.0,0.0,0.0,0.0
ISIC_0000006,0.0,0.0,0.0,0.0,0.0,0.0,0.0,1.0,0.0
"""
META_2019 = """\
image,age_approx,anatom_site_general,lesion_id,sex
ISIC_0000000,55.0,anterior torso,,female
ISIC_0000002,30.0,head/neck,BCN_0003884,male
ISIC_0000004,,,BCN_0003884,
ISIC_0000006,80.0,lower extremity,BCN_0000001,female
"""
ISIC_2020 = """\
image_name,patient_id,sex,age_approx,anatom_site_general_challenge,diagnosis,benign_malignant,target
ISIC_2637011,IP_7279968,male,45.0,head/neck,unknown,benign,0
ISIC_0052212,IP_2842074,female,50.0,lower extremity,nevus,benign,0
ISIC_0068279,IP_2842074,female,45.0,,seborrheic keratosis,benign,0
ISIC_0149568,IP_0962375,female,55.0,upper extremity,melanoma,malignant,1
"""
V2_2020 = """\
image_name,patient_id,lesion_id,sex,age_approx,anatom_site_general_challenge,diagnosis,\
benign_malignant,target
ISIC_0052212,IP_2842074,IL_4634905,female,50.0,lower extremity,nevus,benign,0
ISIC_0068279,IP_2842074,IL_7861025,female,45.0,,melanoma,malignant,1
"""
ISIC_CLI = """\
isic_id,attribution,copyright_license,age_approx,anatom_site_1,anatom_site_general,\
concomitant_biopsy,diagnosis_1,diagnosis_2,diagnosis_3,diagnosis_4,diagnosis_confirm_type,\
image_type,lesion_id,melanocytic,sex
ISIC_0024306,ViDIR,CC-BY-NC,45,Trunk,,False,Benign,Benign melanocytic proliferations,Nevus,\
"Nevus, NOS, Compound",serial imaging,dermoscopic,IL_7252831,True,male
ISIC_0024307,ViDIR,CC-BY-NC,50,,lower extremity,True,Malignant,\
Malignant melanocytic proliferations (Melanoma),"Melanoma, NOS",,histopathology,dermoscopic,\
IL_6125741,True,female
ISIC_0024308,ViDIR,CC-BY-NC,,,,True,Benign,Benign soft tissue proliferations - Vascular,,,\
histopathology,dermoscopic,,False,
ISIC_0024309,ViDIR,CC-BY-NC,55,,head/neck,True,Malignant,Malignant epidermal proliferations,\
"Squamous cell carcinoma, NOS",,histopathology,dermoscopic,IL_3692653,False,male
"""
BCN = """\
bcn_filename,age_approx,anatom_site_general,diagnosis,lesion_id,capture_date,sex,split
BCN_0000000001.jpg,55.0,anterior torso,MEL,BCN_0003884,2012-05-16,male,train
BCN_0000000003.jpg,50.0,,AK,BCN_0003884,2015-07-09,female,train
BCN_0000000004.jpg,,head/neck,SCC,BCN_0001148,2013-03-13,,train
"""
PAD = """\
patient_id,lesion_id,smoke,drink,background_father,background_mother,age,pesticide,gender,\
skin_cancer_history,cancer_history,has_piped_water,has_sewage_system,fitspatrick,region,diameter_1,\
diameter_2,diagnostic,itch,grew,hurt,changed,bleed,elevation,img_id,biopsed
PAT_1516,1765,,,,,8,,,,,,,,ARM,,,NEV,False,False,False,False,False,False,PAT_1516_1765_530.png,False
PAT_46,881,False,False,POMERANIA,POMERANIA,55,False,FEMALE,True,True,True,True,3.0,NECK,6.0,5.0,BCC,\
True,True,False,True,True,True,PAT_46_881_939.png,True
PAT_1545,1867,,,,,77,,,,,,,,FACE,,,ACK,True,False,False,False,False,False,PAT_1545_1867_547.png,False
PAT_1989,4061,,,,,75,,MALE,,,,,,HAND,,,SEK,True,True,False,False,False,False,PAT_1989_4061_934.png,False
PAT_684,1302,False,True,,,79,False,MALE,True,False,False,False,1.0,FOREARM,5.0,5.0,MEL,True,True,False,\
True,False,True,PAT_684_1302_588.png,True
"""
OWN = """\
Datei;Befund;Alter;Fall
a1.png;Melanom;50,5;7
a2.png;Naevus;;7
a3.png;Warze;30;8
"""
# name: tables, image names, endings, classes, what image_id: (dx, age, sex, site, lesion) becomes
CASES = {
    "HAM10000": (
        {"HAM10000_metadata.csv": HAM},
        PAPER_CLASSES,
        {
            "ISIC_0027419": ("bkl", 80, "male", "scalp", "HAM_0000118"),
            "ISIC_0025030": ("bkl", 80, "male", "scalp", "HAM_0000118"),
            "ISIC_0026769": ("mel", None, "unknown", "unknown", "HAM_0002730"),
        },
    ),
    "ISIC 2018": (
        {"a/ISIC2018_Task3_Training_GroundTruth.csv": ISIC_2018, "groups.csv": GROUPS_2018},
        PAPER_CLASSES,
        {
            "ISIC_0024306": ("nv", None, "unknown", "unknown", "HAM_0000550"),
            "ISIC_0024307": ("akiec", None, "unknown", "unknown", "HAM_0003577"),
            "ISIC_0024308": ("mel", None, "unknown", "unknown", "HAM_0000550"),
        },
    ),
    "ISIC 2018, truth alone": (
        {"ISIC2018_Task3_Validation_GroundTruth.csv": ISIC_2018},
        PAPER_CLASSES,
        {
            "ISIC_0024306": ("nv", None, "unknown", "unknown", "image_ISIC_0024306"),
            "ISIC_0024307": ("akiec", None, "unknown", "unknown", "image_ISIC_0024307"),
            "ISIC_0024308": ("mel", None, "unknown", "unknown", "image_ISIC_0024308"),
        },
    ),
    "ISIC 2019": (
        {"ISIC_2019_Training_GroundTruth.csv": ISIC_2019, "Metadata.csv": META_2019},
        WITH_SCC,
        {
            "ISIC_0000000": ("nv", 55, "female", "anterior torso", "image_ISIC_0000000"),
            "ISIC_0000002": ("mel", 30, "male", "head/neck", "BCN_0003884"),
            "ISIC_0000004": ("akiec", None, "unknown", "unknown", "BCN_0003884"),
            "ISIC_0000006": ("scc", 80, "female", "lower extremity", "BCN_0000001"),
        },
    ),
    "ISIC 2020": (
        {"train.csv": ISIC_2020},
        PAPER_CLASSES | {"unclear": ("unknown",)},
        {
            "ISIC_2637011": ("unknown", 45, "male", "head/neck", "patient_IP_7279968"),
            "ISIC_0052212": ("nv", 50, "female", "lower extremity", "patient_IP_2842074"),
            "ISIC_0068279": ("bkl", 45, "female", "unknown", "patient_IP_2842074"),
            "ISIC_0149568": ("mel", 55, "female", "upper extremity", "patient_IP_0962375"),
        },
    ),
    "ISIC 2020, second version": (
        {"ISIC_2020_Training_GroundTruth_v2.csv": V2_2020},
        PAPER_CLASSES,
        {
            "ISIC_0052212": ("nv", 50, "female", "lower extremity", "IL_4634905"),
            "ISIC_0068279": ("mel", 45, "female", "unknown", "IL_7861025"),
        },
    ),
    "isic-cli": (
        {"images/metadata.csv": ISIC_CLI},
        WITH_SCC,
        {
            "ISIC_0024306": ("nv", 45, "male", "trunk", "IL_7252831"),
            "ISIC_0024307": ("mel", 50, "female", "lower extremity", "IL_6125741"),
            "ISIC_0024308": ("vasc", None, "unknown", "unknown", "image_ISIC_0024308"),
            "ISIC_0024309": ("scc", 55, "male", "head/neck", "IL_3692653"),
        },
    ),
    "BCN20000": (
        {"bcn_20k_train.csv": BCN},
        WITH_SCC,
        {
            "BCN_0000000001": ("mel", 55, "male", "anterior torso", "BCN_0003884"),
            "BCN_0000000003": ("akiec", 50, "female", "unknown", "BCN_0003884"),
            "BCN_0000000004": ("scc", None, "unknown", "head/neck", "BCN_0001148"),
        },
    ),
    "PAD-UFES-20": (
        {"metadata.csv": PAD},
        PAPER_CLASSES,
        {
            "PAT_1516_1765_530": ("nv", 8, "unknown", "arm", "1765"),
            "PAT_46_881_939": ("bcc", 55, "female", "neck", "881"),
            "PAT_1545_1867_547": ("akiec", 77, "unknown", "face", "1867"),
            "PAT_1989_4061_934": ("bkl", 75, "male", "hand", "4061"),
            "PAT_684_1302_588": ("mel", 79, "male", "forearm", "1302"),
        },
    ),
}


def place(made, tables, names):
    for file, text in tables.items():
        path = made.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name in names:
        made.image(name, suffix=".png" if name.startswith(("PAT", "a")) else ".jpg")
    return made.folder


def assert_read(catalog, expected):
    images = catalog.images.set_index("image_id")
    found = {}
    for name, row in images.iterrows():
        age = None if np.isnan(row["age"]) else row["age"]
        found[name] = (row["dx"], age, row["sex"], row["localization"], row["lesion_id"])
    assert found == expected
    assert catalog.quarantine.empty


@pytest.mark.parametrize("name", CASES)
def test_a_layout_of_the_field_is_read_as_it_comes(made, name):
    tables, classes, expected = CASES[name]
    assert_read(ingest(place(made, tables, expected), classes=classes), expected)


@pytest.mark.parametrize(
    ("ending", "separator"), [("", ","), ("", "\t"), (".tab", "\t"), (".csv", ",")]
)
def test_ham10000_is_read_with_the_ending_that_dataverse_leaves_off(made, ending, separator):
    _, classes, expected = CASES["HAM10000"]
    tables = {f"HAM10000_metadata{ending}": HAM.replace(",", separator)}
    assert_read(ingest(place(made, tables, expected), classes=classes), expected)


def test_dataverse_s_further_table_is_left_alone(made):
    tables, classes, expected = CASES["HAM10000"]
    more = HAM.replace("ISIC_00", "ISIC_99")
    folder = place(made, {**tables, "ISIC2018_Task3_Test_GroundTruth.csv": more}, expected)
    assert_read(ingest(folder, classes=classes), expected)


def test_what_no_class_gathers_is_set_apart_and_said(made):
    tables, _, expected = CASES["ISIC 2019"]
    catalog = ingest(place(made, tables, expected), classes=PAPER_CLASSES)
    assert len(catalog.images) == 3
    said = [line for line in catalog.faults() if "diagnosis in no class" in line]
    assert said[0].startswith("1 × diagnosis in no class: dx 'SCC' 1 × (as ISIC_0000006); name it")


def test_what_is_filled_in_is_said(made):
    tables, classes, expected = CASES["ISIC 2020"]
    notes = ingest(place(made, tables, expected), classes=classes).notes
    assert notes[0] == "layout ISIC 2020 challenge, read from train.csv"
    assert notes[1] == "4 rows name no lesion: all images of a patient count as one lesion"


def test_any_other_layout_is_described_by_its_columns_and_words(made):
    expected = {
        "a1": ("melanoma", 50.5, "unknown", "unknown", "7"),
        "a2": ("nv", None, "unknown", "unknown", "7"),
        "a3": ("Warze", 30, "unknown", "unknown", "8"),
    }
    catalog = ingest(
        place(made, {"liste.csv": OWN}, expected),
        classes={"melanoma": ("melanoma",), "rest": ("nv", "Warze")},
        columns={"image_id": "Datei", "dx": "Befund", "age": "Alter", "lesion_id": "Fall"},
        diagnoses={"Melanom": "melanoma", "naevus": "nv"},
    )
    assert_read(catalog, expected)


def test_without_a_layout_the_message_shows_the_columns_and_the_way_out(made):
    folder = place(made, {"liste.csv": OWN}, ["a1"])
    with pytest.raises(SchemaError, match=r"liste\.csv \(Datei, Befund, Alter, Fall\)") as caught:
        ingest(folder, classes=PAPER_CLASSES)
    assert "say in ingest.columns what yours are called" in str(caught.value)
    assert all(layout.name in str(caught.value) for layout in LAYOUTS)


def test_tables_of_two_layouts_need_a_name(made):
    tables, classes, expected = CASES["PAD-UFES-20"]
    folder = place(made, {**tables, "bcn.csv": BCN}, expected)
    with pytest.raises(SchemaError, match=r"several layouts, expected one: BCN20000 \(bcn\.csv\)"):
        ingest(folder, classes=classes)
    assert_read(ingest(folder, classes=classes, table="metadata.csv"), expected)
    with pytest.raises(SchemaError, match=r"none\.csv: no such table"):
        ingest(folder, classes=classes, table="none.csv")


def test_columns_need_at_least_the_image_and_the_diagnosis():
    with pytest.raises(ParameterError, match="received age, expected image_id and dx, too"):
        IngestSettings(columns={"age": "Alter"})
    with pytest.raises(ParameterError, match="columns"):
        IngestSettings(columns={"image_id": "a", "dx": "b", "colour": "c"})


def test_no_two_layouts_are_known_by_the_same_columns():
    for one in LAYOUTS:
        others = [layout for layout in LAYOUTS if layout is not one]
        assert not [other.name for other in others if set(other.marks) <= set(one.marks)]
