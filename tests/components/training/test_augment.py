"""Augmented copies and offline augmentation: the same pixels whenever they are made."""

import numpy as np
import pytest

from slimderm.components.common.errors import ParameterError
from slimderm.components.training.augment import augment_copies
from slimderm.components.training.batches import BalancedBatches, Examples, as_trained
from slimderm.components.training.settings import TrainingSettings

RANDOM = np.random.default_rng(1)


def part(count=6):
    images = RANDOM.integers(0, 256, (count, 16, 12, 3), np.uint8)
    labels = np.arange(count) % 2
    copies = np.array([False, True] * (count // 2))
    return Examples(
        images, np.zeros((count, 0), np.float32), labels, np.array(["a"] * count), copies
    )


def test_a_copy_is_its_own_function_of_image_name_and_number():
    image = RANDOM.integers(0, 256, (16, 12, 3), np.uint8)
    names, numbers = ["x", "x", "x", "y"], np.array([0, 1, 2, 1])
    one = np.stack([image] * 4)
    augment_copies(one, names, numbers)
    assert np.array_equal(one[0], image)
    assert len(np.unique(one.reshape(4, -1), axis=0)) == 4
    other = np.stack([image] * 4)
    augment_copies(other, names[::-1], numbers[::-1])
    assert np.array_equal(other[::-1], one)


def test_offline_each_image_is_augmented_once_and_copies_are_already():
    examples = part()
    before = examples.images.copy()
    one = as_trained(examples, "offline", seed=3).images
    assert np.array_equal(examples.images, before)
    changed = [not np.array_equal(a, b) for a, b in zip(one, before, strict=True)]
    assert changed == (~examples.copies).tolist()
    assert np.array_equal(one, as_trained(examples, "offline", seed=3).images)
    assert not np.array_equal(one, as_trained(examples, "offline", seed=4).images)
    for mode in ("online", "none"):
        assert as_trained(examples, mode, seed=3) is examples


def test_offline_every_epoch_shows_the_same_pixels():
    trained = as_trained(part(), "offline", seed=0)
    batches = BalancedBatches(trained, num_classes=2, batch_size=6, seed=0, augmented=False)
    first = batches[0][0]["image"]
    batches.on_epoch_end()
    second = batches[0][0]["image"]
    assert not np.array_equal(first, second)  # in another order
    assert np.array_equal(np.unique(first, axis=0), np.unique(second, axis=0))


@pytest.mark.parametrize(
    ("given", "read"), [(True, "online"), (False, "none"), ("offline", "offline")]
)
def test_true_and_false_of_older_files_are_read(given, read):
    assert TrainingSettings(augment=given).augment == read


@pytest.mark.parametrize("given", ["twice", 1, None])
def test_another_word_is_refused(given):
    with pytest.raises(ParameterError, match="expected one of online, offline, none"):
        TrainingSettings(augment=given)
