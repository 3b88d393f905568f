"""Near duplicates against a count by hand and an independent distance."""

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimderm.components.common.errors import LeakError
from slimderm.components.dataset.settings import SplitSettings
from slimderm.components.dataset.similar import (
    find_near_duplicates,
    fingerprint,
    join_near_duplicates,
)
from slimderm.components.dataset.splits import check_no_leak, split

LIMIT = SplitSettings().near_duplicates


def picture(seed, size=(90, 120)):
    coarse = np.random.default_rng(seed).integers(30, 226, (9, 12, 3), dtype=np.uint8)
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)


def distance(one, other):
    return (int(fingerprint(one), 16) ^ int(fingerprint(other), 16)).bit_count()


CHANGES = {
    "encoded anew": lambda image: cv2.imdecode(
        cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_COLOR
    ),
    "smaller": lambda image: cv2.resize(image, (80, 60), interpolation=cv2.INTER_AREA),
    "brighter": lambda image: cv2.convertScaleAbs(image, alpha=0.9, beta=20),
    "noisy": lambda image: np.clip(
        image + np.random.default_rng(9).normal(0, 4, image.shape), 0, 255
    ).astype(np.uint8),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_same_picture_is_near_whatever_was_done_to_it(change):
    assert distance(picture(0), CHANGES[change](picture(0))) <= LIMIT


def test_other_pictures_are_far():
    assert min(distance(picture(0), picture(seed)) for seed in range(1, 40)) > LIMIT


def table(fingerprints, lesions=None):
    names = [f"i{index:03d}" for index in range(len(fingerprints))]
    lesions = lesions or [f"l{name}" for name in names]
    columns = {"image_id": names, "lesion_id": lesions, "fingerprint": fingerprints}
    return pd.DataFrame(columns)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 2**256 - 1) | st.integers(0, 300), max_size=40), st.integers(0, 130))
def test_every_pair_within_the_limit_is_found_once(numbers, limit):
    catalog = table([f"{number:064x}" for number in numbers]).sample(frac=1, random_state=1)
    found = find_near_duplicates(catalog, max_distance=limit)
    expected = {
        (f"i{a:03d}", f"i{b:03d}", (numbers[a] ^ numbers[b]).bit_count())
        for a in range(len(numbers))
        for b in range(a + 1, len(numbers))
        if (numbers[a] ^ numbers[b]).bit_count() <= limit
    }
    assert set(found[["image_id", "other_id", "distance"]].itertuples(index=False, name=None)) == (
        expected
    )
    assert len(found) == len(expected)


def test_more_images_than_a_block_are_all_compared():
    numbers = [2**255 * (index % 2) + index for index in range(700)]
    found = find_near_duplicates(table([f"{n:064x}" for n in numbers]), max_distance=0)
    assert found.empty
    numbers[690] = numbers[3]
    found = find_near_duplicates(table([f"{n:064x}" for n in numbers]), max_distance=0)
    assert found[["image_id", "other_id"]].values.tolist() == [["i003", "i690"]]


def chain(count):
    """Images of which each is near the next alone: ten bits apart, twenty from the one after."""
    return [f"{(1 << 10 * index) - 1:064x}" for index in range(count)]


def test_a_chain_of_near_duplicates_stays_on_one_side():
    random = np.random.default_rng(0)
    others = [f"{int.from_bytes(random.bytes(32)):064x}" for _ in range(40)]
    catalog = table(chain(12) + others)
    catalog = catalog.assign(sha256=catalog["image_id"], label=["a", "b"] * (len(catalog) // 2))
    pairs = find_near_duplicates(catalog, max_distance=10)
    assert len(pairs) == 11
    joined = join_near_duplicates(catalog, pairs)
    assert joined["near"].value_counts().iloc[0] == 12
    frame = split(joined, SplitSettings()).frame
    assert frame.set_index("image_id").loc[catalog["image_id"][:12], "part"].nunique() == 1
    check_no_leak(catalog, frame)  # which knows nothing of near duplicates, as in training
    moved = frame.assign(part=["test", *["train"] * (len(frame) - 1)])
    with pytest.raises(LeakError, match="picture i000 stands on two sides"):
        check_no_leak(catalog, moved)
    apart = split(catalog, SplitSettings()).frame
    assert apart.set_index("image_id").loc[catalog["image_id"][:12], "part"].nunique() > 1


def test_without_images_or_a_limit_there_are_no_pairs():
    assert find_near_duplicates(table([]), max_distance=28).empty
    twins = table(["00" * 32] * 2)
    assert len(find_near_duplicates(twins, max_distance=0)) == 1
    assert find_near_duplicates(twins, max_distance=-1).empty
