"""CIFAR-100 from its official Python files (Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/)."""

import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import SchemaError

SIDE = 32
NUM_CLASSES = 100
# What NumPy needs to restore an array, and nothing that could run code.
PERMITTED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


@dataclass(frozen=True)
class Cifar:
    """One part: images (N, 32, 32, 3) uint8 RGB, labels (N,) int64 in 0..99, their 100 names."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    names: tuple[str, ...]


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in PERMITTED:
            raise SchemaError(
                f"CIFAR-100: received a file that asks for {module}.{name}, expected arrays and "
                "lists alone; download it anew from its official page"
            )
        return super().find_class(module, name)


def read_cifar100(folder: Path | str, part: str) -> Cifar:
    """Read ``train`` or ``test`` of the unpacked ``cifar-100-python`` folder.

    The files are pickles; they are read with a reader that knows arrays and nothing else.

    Parameters
    ----------
    folder : path
        Holds ``train``, ``test`` and ``meta``.
    part : str
        ``"train"`` (50,000 images officially) or ``"test"`` (10,000).

    Returns
    -------
    Cifar

    Raises
    ------
    SchemaError
        For another part, a missing file, or content that is not CIFAR-100's.
    """
    if part not in ("train", "test"):
        raise SchemaError(f"part: received {part!r}, expected train or test")
    found = _read(Path(folder) / part)
    names = _read(Path(folder) / "meta").get(b"fine_label_names")
    pixels, labels = found.get(b"data"), found.get(b"fine_labels")
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 2:
        raise SchemaError(f"{folder}/{part}: received no uint8 table, expected (N, 3072)")
    if pixels.shape[1] != 3 * SIDE * SIDE or not isinstance(labels, list):
        raise SchemaError(
            f"{folder}/{part}: received {pixels.shape} pixels and {type(labels).__name__} labels, "
            f"expected (N, {3 * SIDE * SIDE}) and a list"
        )
    if len(labels) != len(pixels) or not all(0 <= label < NUM_CLASSES for label in labels):
        raise SchemaError(
            f"{folder}/{part}: received {len(labels)} labels for {len(pixels)} images, expected "
            f"one in 0..{NUM_CLASSES - 1} each"
        )
    if not isinstance(names, list) or len(names) != NUM_CLASSES:
        raise SchemaError(f"{folder}/meta: expected {NUM_CLASSES} fine_label_names")
    planes = pixels.reshape(-1, 3, SIDE, SIDE)  # (N, colour, row, column)
    return Cifar(
        np.ascontiguousarray(planes.transpose(0, 2, 3, 1)),
        np.array(labels, np.int64),
        tuple(name.decode() for name in names),
    )


def _read(path: Path) -> dict[bytes, Any]:
    if not path.is_file():
        raise SchemaError(f"{path}: not found; expected the unpacked cifar-100-python folder")
    try:
        found = _Reader(io.BytesIO(path.read_bytes()), encoding="bytes").load()
    except (pickle.UnpicklingError, EOFError, ValueError, IndexError, AttributeError) as error:
        raise SchemaError(f"{path}: cannot be read as CIFAR-100's file ({error})") from error
    if not isinstance(found, dict):
        raise SchemaError(f"{path}: received {type(found).__name__}, expected a dict")
    return found
