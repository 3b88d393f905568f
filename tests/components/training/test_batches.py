import numpy as np
import pytest

from slimderm.components.common.errors import ImageError, ParameterError, SchemaError
from slimderm.components.training.augment import augment
from slimderm.components.training.batches import BalancedBatches, Examples, OrderedBatches
from slimderm.components.training.sampling import equal_classes


def examples(counts=(40, 10, 3), size=(12, 10)):
    """Each image holds its own number, so that it can be recognised."""
    labels = np.repeat(np.arange(len(counts)), counts)
    images = np.zeros((len(labels), *size, 3), np.uint8)
    images += np.arange(len(labels), dtype=np.uint8)[:, None, None, None]
    metadata = np.stack([labels, np.arange(len(labels))], axis=1).astype(np.float32)
    return Examples(images, metadata, labels, np.array([f"L{n}" for n in range(len(labels))]))


def epoch(batches):
    numbers, targets = [], []
    for index in range(len(batches)):
        inputs, one_hot = batches[index]
        numbers += inputs["metadata"][:, 1].astype(int).tolist()
        targets.append(one_hot)
    return np.array(numbers), np.concatenate(targets)


def make(**more):
    settings = {"num_classes": 3, "batch_size": 8, "seed": 0, "augmented": False} | more
    return BalancedBatches(examples(), **settings)


def test_an_epoch_has_as_many_of_each_class_as_there_are_images():
    numbers, targets = epoch(make())
    assert len(numbers) == 51  # 53 images, rounded down to a multiple of three
    assert targets.sum(axis=0).tolist() == [17, 17, 17]
    labels = examples().labels
    assert np.array_equal(targets.argmax(axis=1), labels[numbers])
    plenty = numbers[labels[numbers] == 0]
    assert len(set(plenty)) == 17
    _, rounds = np.unique(numbers[labels[numbers] == 2], return_counts=True)
    assert sorted(rounds) == [5, 6, 6]


def test_epochs_differ_and_together_see_every_image():
    batches = make()
    seen = set()
    first = epoch(batches)[0].tolist()
    for _ in range(12):
        seen |= set(epoch(batches)[0].tolist())
        batches.on_epoch_end()
    assert epoch(batches)[0].tolist() != first
    assert seen == set(range(53))


def test_the_same_seed_gives_the_same_epoch_and_pixels():
    one, two, other = (make(augmented=True, seed=seed) for seed in (4, 4, 5))
    for index in range(len(one)):
        assert np.array_equal(one[index][0]["image"], two[index][0]["image"])
    assert epoch(one)[0].tolist() != epoch(other)[0].tolist()


def test_what_is_augmented_is_a_copy():
    part = examples()
    before = part.images.copy()
    make(augmented=True)[0]
    batches = BalancedBatches(part, num_classes=3, batch_size=8, seed=0, augmented=True)
    assert (batches[0][0]["image"].std(axis=(1, 2, 3)) >= 0).all()
    assert np.array_equal(part.images, before)


def test_a_class_without_an_image_is_an_error():
    with pytest.raises(ParameterError, match="at least one of each of 4 classes"):
        make(num_classes=4)


def test_ordered_batches_keep_the_order():
    part = examples()
    batches = OrderedBatches(part, batch_size=20)
    numbers = np.concatenate([batches[i][0]["metadata"][:, 1] for i in range(len(batches))])
    assert numbers.tolist() == list(range(53))
    assert set(OrderedBatches(part, batch_size=20, image_only=True)[0][0]) == {"image"}


def test_equal_classes_are_drawn_without_repetition():
    drawn = equal_classes(examples(), seed=0)
    assert np.bincount(drawn.labels).tolist() == [3, 3, 3]
    assert len(set(drawn.lesions)) == 9
    assert drawn.metadata[:, 1].tolist() == drawn.images[:, 0, 0, 0].tolist()
    again = equal_classes(examples(), seed=0)
    assert np.array_equal(drawn.lesions, again.lesions)


def test_augmentation_keeps_the_lesion_in_the_middle_and_changes_the_rest():
    image = np.full((1, 41, 41, 3), 60, np.uint8)
    image[:, 15:26, 15:26] = 200
    changed = np.repeat(image, 20, axis=0)
    augment(changed, np.random.default_rng(0))
    middle = changed[:, 19:22, 19:22].mean(axis=(1, 2, 3))
    corner = changed[:, :3, :3].mean(axis=(1, 2, 3))
    assert (middle > 170).all()
    assert ((corner > 50) & (corner < 70)).all()  # no black corners
    assert len(np.unique(changed.reshape(20, -1), axis=0)) == 20


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"images": np.zeros((53, 4, 4, 3))}, ImageError),
        ({"labels": np.zeros(52, np.int64)}, SchemaError),
        ({"metadata": np.full((53, 2), np.nan, np.float32)}, SchemaError),
    ],
)
def test_examples_that_do_not_fit_are_refused(change, error):
    part = examples()
    fields = {name: getattr(part, name) for name in ("images", "metadata", "labels", "lesions")}
    with pytest.raises(error, match="expected"):
        Examples(**(fields | change))
