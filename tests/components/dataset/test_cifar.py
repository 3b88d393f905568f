"""CIFAR-100's official files, made tiny."""

import pickle

import numpy as np
import pytest

from slimderm.components.common.errors import SchemaError
from slimderm.components.dataset.cifar import read_cifar100


class Hostile:
    def __reduce__(self):
        return (print, ("run",))


@pytest.fixture
def folder(tmp_path):
    random = np.random.default_rng(0)
    for part, number in (("train", 6), ("test", 3)):
        content = {
            b"data": random.integers(0, 256, (number, 3072), np.uint8),
            b"fine_labels": [index % 100 for index in range(number)],
            b"filenames": [b"x.png"] * number,
        }
        (tmp_path / part).write_bytes(pickle.dumps(content, protocol=2))
    names = [f"class{index}".encode() for index in range(100)]
    (tmp_path / "meta").write_bytes(pickle.dumps({b"fine_label_names": names}, protocol=2))
    return tmp_path


def test_pixels_labels_and_names(folder):
    found = read_cifar100(folder, "train")
    raw = pickle.loads((folder / "train").read_bytes(), encoding="bytes")[b"data"]
    assert found.images.shape == (6, 32, 32, 3)
    assert found.labels.tolist() == [0, 1, 2, 3, 4, 5]
    assert found.names[99] == "class99"
    row, column = 5, 7
    for colour in range(3):
        expected = raw[2, colour * 1024 + row * 32 + column]
        assert found.images[2, row, column, colour] == expected


def test_code_in_a_pickle_is_not_run(folder, capsys):
    (folder / "train").write_bytes(pickle.dumps({b"data": Hostile()}, protocol=2))
    with pytest.raises(SchemaError, match=r"asks for .*print"):
        read_cifar100(folder, "train")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no pickle", "cannot be read"),
        (pickle.dumps([1]), "received list"),
        (pickle.dumps({b"data": [1, 2]}), "no uint8 table"),
        (pickle.dumps({b"data": np.zeros((2, 10), np.uint8), b"fine_labels": [1, 2]}), "3072"),
        (pickle.dumps({b"data": np.zeros((2, 3072), np.uint8), b"fine_labels": [1]}), "1 labels"),
        (pickle.dumps({b"data": np.zeros((1, 3072), np.uint8), b"fine_labels": [100]}), "0..99"),
    ],
)
def test_other_files_are_refused(folder, content, words):
    (folder / "train").write_bytes(content)
    with pytest.raises(SchemaError, match=words):
        read_cifar100(folder, "train")


def test_missing_parts_are_refused(folder):
    with pytest.raises(SchemaError, match="expected train or test"):
        read_cifar100(folder, "validation")
    (folder / "meta").unlink()
    with pytest.raises(SchemaError, match="not found"):
        read_cifar100(folder, "train")
