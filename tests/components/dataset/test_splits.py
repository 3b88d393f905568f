import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimderm.components.common.errors import LeakError, SchemaError
from slimderm.components.dataset.copies import copies_sentence
from slimderm.components.dataset.settings import SplitSettings
from slimderm.components.dataset.splits import check_no_leak, split

COLUMNS = ["image_id", "lesion_id", "label", "sha256"]


def catalog(sizes, seed=0):
    """A catalog with lesions of the given numbers of images: {label: [images of each lesion]}."""
    rows = []
    for label, lesions in sizes.items():
        for lesion, count in enumerate(lesions):
            for _ in range(count):
                name = f"ISIC_{len(rows):05d}"
                rows.append((name, f"{label}_{lesion}", label, f"bytes of {name}"))
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.sample(frac=1, random_state=seed)


lesions = st.lists(st.integers(1, 4), min_size=3, max_size=25)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from("abcd"), lesions, min_size=2), st.integers(0, 99))
def test_no_lesion_stands_on_two_sides_and_no_image_is_lost(sizes, seed):
    images = catalog(sizes, seed)
    result = split(images, SplitSettings(seed=seed))
    assert sorted(result.frame["image_id"]) == sorted(images["image_id"])
    assert result.frame.groupby("lesion_id")["part"].nunique().max() == 1
    counts = result.frame.groupby(["label", "part"]).size()
    assert len(counts) == 3 * len(sizes)
    check_no_leak(images, result.frame)


@st.composite
def tangled(draw):
    """A catalog whose lesions share classes and bytes at random, with enough sound lesions."""
    sound = {label: [1] * draw(st.integers(3, 8)) for label in "ab"}
    rows = catalog(sound).to_numpy().tolist()
    names = st.integers(0, 12)
    for index in range(draw(st.integers(0, 30))):
        label = draw(st.sampled_from("ab"))
        rows.append((f"T{index:03d}", f"lesion {draw(names)}", label, f"bytes {draw(names)}"))
    return pd.DataFrame(rows, columns=COLUMNS)


@settings(max_examples=80, deadline=None)
@given(tangled(), st.integers(0, 99))
def test_nothing_that_belongs_together_is_torn_apart(images, seed):
    result = split(images, SplitSettings(seed=seed))
    merged = result.frame.merge(images[["image_id", "sha256"]])
    assert len(merged) == len(images)
    for column in ("lesion_id", "sha256"):
        assert merged.groupby(column)["part"].nunique().max() == 1
    assert_adds_up(result)
    shuffled = images.sample(frac=1, random_state=seed)
    again = split(shuffled, SplitSettings(seed=seed))
    pd.testing.assert_frame_equal(again.frame, result.frame)
    pd.testing.assert_frame_equal(again.shortfall, result.shortfall)


def assert_adds_up(result):
    counts = result.frame.groupby(["part", "label"]).size()
    table = result.shortfall.set_index(["part", "label"])["given"]
    assert table[table > 0].sort_index().to_dict() == counts.sort_index().to_dict()
    assert table.sum() == len(result.frame)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from("abcd"),
        st.lists(st.integers(1, 4), min_size=9, max_size=40),
        min_size=2,
    ),
    st.integers(0, 99),
)
def test_judged_parts_hold_the_classes_equally_within_a_lesion(sizes, seed):
    result = split(catalog(sizes, seed), SplitSettings(seed=seed))
    assert_adds_up(result)
    counts = result.frame.groupby(["part", "label"]).size()
    largest = max(max(lesions) for lesions in sizes.values())
    for part in ("validation", "test"):
        assert counts[part].max() - counts[part].min() <= largest


def test_equal_bytes_bind_lesions_together():
    images = catalog({"a": [1] * 30, "b": [1] * 30})
    twins = images["lesion_id"].isin([f"a_{n}" for n in range(0, 30, 2)])
    images.loc[twins, "sha256"] = "the same"
    frame = split(images, SplitSettings()).frame
    parts = frame.merge(images[["image_id", "sha256"]]).groupby("sha256")["part"].nunique()
    assert parts.max() == 1


def test_judged_parts_are_equal_between_classes_and_shortfall_says_what_is_missing():
    images = catalog({"many": [1] * 1000, "some": [2] * 200, "few": [1] * 100})
    result = split(images, SplitSettings(train=60, validation=20, test=20))
    given = result.shortfall.set_index(["part", "label"])["given"]
    for part in ("validation", "test"):
        assert given[part].tolist() == [20, 20, 20]  # a fifth of the scarcest class
    wanted = result.shortfall.set_index(["part", "label"])["wanted"]
    assert wanted["validation"].tolist() == [round(0.2 * 1500 / 3)] * 3
    counts = result.frame.groupby(["part", "label"]).size()
    assert counts.sort_index().equals(given.sort_index().rename(None))


def test_the_order_of_rows_is_of_no_account_and_the_seed_is():
    sizes = {"a": [1, 2, 3] * 10, "b": [1] * 40}
    first = split(catalog(sizes, 1), SplitSettings(seed=5)).frame
    second = split(catalog(sizes, 1).sample(frac=1, random_state=9), SplitSettings(seed=5)).frame
    pd.testing.assert_frame_equal(first, second)
    third = split(catalog(sizes, 1), SplitSettings(seed=6)).frame
    assert not first["part"].equals(third["part"])


def test_max_images_takes_whole_lesions_in_proportion():
    images = catalog({"a": [2] * 300, "b": [1] * 200})
    frame = split(images, SplitSettings(max_images=200)).frame
    assert abs(len(frame) - 200) <= 3
    share = (frame["label"] == "a").mean()
    assert share == pytest.approx(0.75, abs=0.02)
    whole = images.groupby("lesion_id").size()
    taken = frame.groupby("lesion_id").size()
    assert taken.equals(whole[taken.index])


def test_a_class_with_too_few_lesions_is_named():
    with pytest.raises(SchemaError, match="class 'b' has 2 lesions, expected at least 3"):
        split(catalog({"a": [1] * 9, "b": [1, 5]}), SplitSettings())


@pytest.mark.parametrize("column", ["lesion_id", "sha256"])
def test_a_planted_leak_is_found_and_named(column):
    images = catalog({"a": [1] * 12, "b": [1] * 12})
    frame = split(images, SplitSettings()).frame
    one = frame.loc[frame["part"] == "train", "image_id"].iloc[0]
    two = frame.loc[frame["part"] == "test", "image_id"].iloc[0]
    table = frame if column == "lesion_id" else images
    table.loc[table["image_id"].isin([one, two]), column] = "shared"
    with pytest.raises(LeakError, match="shared stands on two sides") as caught:
        check_no_leak(images, frame)
    assert f"{one} in train" in str(caught.value)
    assert f"{two} in test" in str(caught.value)


def test_a_lesion_on_two_sides_is_found_without_its_catalog():
    images = catalog({"a": [1] * 12, "b": [1] * 12})
    frame = split(images, SplitSettings()).frame
    frame.loc[frame["part"] != "train", "lesion_id"] = "shared"
    with pytest.raises(LeakError, match="lesion shared"):
        check_no_leak(images.iloc[:0], frame)


def test_a_sample_too_small_for_a_class_names_it():
    with pytest.raises(SchemaError, match="class 'b' has 1 lesions"):
        split(catalog({"a": [1] * 90, "b": [1] * 10}), SplitSettings(max_images=10))


def test_weights_scale_to_what_is_there():
    images = catalog({name: [1] * 476 for name in "abcd"})
    counts = split(images, SplitSettings()).frame["part"].value_counts()
    paper = np.array([3300, 1100, 360]) * len(images) / 4760
    assert counts[["train", "validation", "test"]].to_numpy() == pytest.approx(paper, abs=4)


PARTS = ("train", "validation", "test")


@settings(max_examples=60, deadline=None)
@given(tangled(), st.tuples(*[st.integers(2, 30)] * 3), st.integers(0, 99))
def test_copies_fill_each_part_with_its_own_images(images, sizes, seed):
    asked = SplitSettings(**dict(zip(PARTS, sizes, strict=True)), fill="copies", seed=seed)
    frame = split(images, asked).frame
    check_no_leak(images, frame)
    counts = frame.groupby(["part", "label"]).size()
    for part, size in zip(PARTS, sizes, strict=True):
        assert counts[part].to_dict() == {"a": round(size / 2), "b": round(size / 2)}
    originals = images.set_index("image_id")
    for row in frame.to_dict("records"):
        assert (row["lesion_id"], row["label"]) == tuple(
            originals.loc[row["image_id"], ["lesion_id", "label"]]
        )
    assert not frame.duplicated(["image_id", "copy"]).any()
    assert frame.groupby("image_id")["part"].nunique().max() == 1
    # An image, its first copy and so on: nobody's second before everybody's first.
    for _, members in frame.groupby(["part", "label"]):
        rounds = members.groupby("image_id")["copy"].agg(["min", "max", "size"])
        assert (rounds["min"] == 0).all()
        assert (rounds["max"] == rounds["size"] - 1).all()
        assert rounds["size"].max() - rounds["size"].min() <= 1
    again = split(images.sample(frac=1, random_state=seed), asked).frame
    pd.testing.assert_frame_equal(again, frame)


def test_the_papers_sizes_on_the_papers_images_need_copies_of_negatives_in_every_part():
    """3,300, 1,100 and 360 of four equal classes, of HAM10000 and the paper's 164 negatives."""
    sizes = {"melanoma": 1113, "nevus": 6705, "other": 2197, "negative": 164}
    images = catalog({label: [1] * count for label, count in sizes.items()})
    result = split(images, SplitSettings(fill="copies"))
    table = result.shortfall.set_index(["part", "label"])
    for part, of_each in (("train", 825), ("validation", 275), ("test", 90)):
        assert (table.loc[part, "given"] + table.loc[part, "copies"] == of_each).all()
    assert table["copies"].groupby("label").sum()[["nevus", "other"]].tolist() == [0, 0]
    negatives = table.xs("negative", level="label")["given"]
    assert negatives.sum() == 164
    assert negatives["validation"] == pytest.approx(164 * 275 / 1190, abs=1)
    assert negatives["test"] == pytest.approx(164 * 90 / 1190, abs=1)
    assert len(result.frame) == 4760
    said = copies_sentence(result.shortfall)
    assert f"{90 - negatives['test'] + table.at[('test', 'melanoma'), 'copies']} of 360" in said


def test_without_copies_nothing_is_marked_and_nothing_said():
    result = split(catalog({"a": [1] * 30, "b": [1] * 9}), SplitSettings())
    assert (result.frame["copy"] == 0).all()
    assert copies_sentence(result.shortfall) == ""


def test_a_copy_on_the_other_side_is_a_leak():
    images = catalog({"a": [1] * 12, "b": [1] * 12})
    frame = split(images, SplitSettings(train=60, validation=20, test=20, fill="copies")).frame
    check_no_leak(images, frame)
    copied = frame.index[(frame["copy"] > 0) & (frame["part"] == "test")][0]
    frame.loc[copied, "part"] = "train"
    with pytest.raises(LeakError, match="stands on two sides"):
        check_no_leak(images, frame)
