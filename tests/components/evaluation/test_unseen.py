"""What a model has seen is found by lesion, by image and by bytes, and lesions stay whole."""

import pandas as pd

from slimderm.components.evaluation.unseen import REASONS, Seen, unseen

IMAGES = pd.DataFrame(
    [
        ("a1", "A", "11"),  # new
        ("b1", "B", "22"),  # its lesion was trained on
        ("c1", "C", "33"),  # its image id was
        ("c2", "C", "44"),  # new, of the lesion of c1
        ("d1", "D", "55"),  # its bytes were, under other names
        ("d2", "D", "66"),  # new, of the lesion of d1
    ],
    columns=["image_id", "lesion_id", "sha256"],
)


def test_each_way_of_having_been_seen_is_found_and_named():
    seen = Seen(frozenset({"B"}), frozenset({"c1", "b1"}), frozenset({"55", "22"}))
    kept, left_out = unseen(IMAGES, seen)
    assert list(kept["image_id"]) == ["a1"]
    assert left_out.set_index("image_id")["reason"].to_dict() == {
        "b1": "lesion_id", "c1": "image_id", "c2": "group", "d1": "sha256", "d2": "group",
    }  # fmt: skip
    assert set(left_out["reason"]) <= set(REASONS)
    assert list(kept) == list(IMAGES)


def test_of_nothing_seen_everything_is_kept():
    kept, left_out = unseen(IMAGES, Seen(frozenset(), frozenset(), frozenset()))
    pd.testing.assert_frame_equal(kept, IMAGES)
    assert left_out.empty
