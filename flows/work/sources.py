"""Where a training's examples come from: one variant of the dataset, or CIFAR-100's files."""

from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from slimderm.components.common.checks import check_name
from slimderm.components.dataset.catalog import check_files, read_catalog
from slimderm.components.dataset.cifar import SIDE, read_cifar100
from slimderm.components.dataset.copies import copies_sentence
from slimderm.components.dataset.images import load_images
from slimderm.components.dataset.labels import class_names
from slimderm.components.dataset.splits import check_no_leak
from slimderm.components.dataset.strata import stratified_order
from slimderm.components.dataset.variants import COMPRESSED
from slimderm.flows.base.files import file_hash
from slimderm.flows.base.terminal import progress_bar
from slimderm.flows.config import layout
from slimderm.flows.config.choice import input_size, storage_choice
from slimderm.flows.config.params import Params

PARTS = ("train", "validation", "test")
CIFAR_VALIDATION = 0.1


class ExampleSource(Protocol):
    """What a training needs to know of its examples.

    ``content`` is JSON-able and changes with every image, label and part; ``description`` is what
    a model needs, beside its weights, to classify a new image.
    """

    classes: tuple[str, ...]
    size: tuple[int, int]
    name: str

    @property
    def content(self) -> dict[str, Any]:
        """What the key of a training sees."""
        ...

    @property
    def examples(self) -> dict[str, Any]:
        """`Examples` of each of `PARTS`."""
        ...

    @property
    def description(self) -> dict[str, Any]:
        """Preprocessing, as JSON."""
        ...

    @property
    def copies(self) -> str:
        """A sentence on how many images are augmented copies; empty where none is."""
        ...


class LesionSource:
    """One variant of the dataset in this workspace.

    Parameters
    ----------
    params : Params
        The section ingest gives the classes.
    variant : str
        A key of `slimderm.flows.config.layout.VARIANTS`.
    max_train : int, optional
        Train on no more images, drawn class by class in proportion.

    Raises
    ------
    ParameterError
        For another variant.
    LeakError
        If a lesion or a byte-identical image stands on two sides of the split.
    """

    def __init__(self, params: Params, variant: str, *, max_train: int | None = None) -> None:
        check_name("variant", variant, layout.VARIANTS)
        self.name = variant
        catalog = read_catalog(layout.RAW)
        splits = pd.read_csv(layout.SPLITS, dtype={"image_id": str, "lesion_id": str})
        check_no_leak(catalog, splits)
        self.classes = tuple(class_names(params.ingest.classes, set(catalog["dx"])))
        parts = splits[["image_id", "part", "copy"]]
        self.frame = catalog.merge(parts, on="image_id", validate="1:m")
        if variant == COMPRESSED:
            manifest = pd.read_parquet(layout.MANIFEST)
            stored = manifest[["image_id", "file", "sha256_after"]]
            stored = stored.rename(columns={"sha256_after": "sha256"})
            self.frame = self.frame.drop(columns=["file", "sha256"]).merge(stored, on="image_id")
        self.folder = layout.VARIANTS[variant]
        self.max_train = max_train
        if max_train is not None:
            self.frame = self._fewer(max_train, params.split.seed)
        self.size = input_size().shape

    def _fewer(self, max_train: int, seed: int) -> pd.DataFrame:
        train = self.rows("train")
        order = stratified_order(train["label"].tolist(), seed=seed)
        rest = self.frame[self.frame["part"] != "train"]
        return pd.concat([train.iloc[order[:max_train]], rest], ignore_index=True)

    @property
    def content(self) -> dict[str, Any]:
        """Hashes of the tables that hold each image's hash, and the storage option."""
        tables = [layout.CATALOG, layout.SPLITS]
        found: dict[str, Any] = {"classes": self.classes, "size": self.size}
        if self.name == COMPRESSED:
            tables.append(layout.MANIFEST)
        if self.max_train is not None:
            found["max_train"] = self.max_train
        return found | {"data": [file_hash(table) for table in tables]}

    @cached_property
    def encoder(self) -> Any:
        """Metadata preprocessing, fitted on the training part alone."""
        from slimderm.components.training.metadata import MetadataEncoder

        images = self.frame[self.frame["copy"] == 0]
        return MetadataEncoder.fit(images[images["part"] == "train"])

    @cached_property
    def examples(self) -> dict[str, Any]:
        """Decoded images, encoded metadata and labels of each part."""
        from slimderm.components.training.batches import Examples

        found, done = {}, 0
        check_files(self.folder, self.frame.drop_duplicates("file"))
        with progress_bar(f"read {self.name} images", len(self.frame)) as update:
            for part in PARTS:
                rows = self.rows(part)
                found[part] = Examples(
                    images=self._images(rows),
                    metadata=self.encoder.transform(rows),
                    labels=np.array([self.classes.index(name) for name in rows["label"]]),
                    lesions=rows["lesion_id"].to_numpy(dtype=str),
                    copies=(rows["copy"] > 0).to_numpy(),
                )
                done += len(rows)
                update(done)
        return found

    def rows(self, part: str) -> pd.DataFrame:
        """Return the catalog's rows of one part, copies too, in the order of its examples."""
        return self.frame[self.frame["part"] == part].sort_values(["image_id", "copy"])

    def _images(self, rows: pd.DataFrame) -> np.ndarray:
        """Read each file once; a copy is its image at the input size, augmented."""
        from slimderm.components.training.augment import augment_copies

        files = pd.Index(rows["file"].unique())
        images = self.load(files.tolist())
        if len(files) < len(rows):
            images = images[files.get_indexer(rows["file"])]
        augment_copies(images, rows["image_id"].tolist(), rows["copy"].to_numpy())
        return images

    @property
    def copies(self) -> str:
        """A sentence on how many images are augmented copies; empty where none is."""
        counts = self.frame.groupby("part")["copy"].agg(
            given=lambda copy: (copy == 0).sum(), copies=lambda copy: (copy > 0).sum()
        )
        return copies_sentence(counts.reset_index())

    def load(self, files: list[str]) -> np.ndarray:
        """Read images at the input size: (N, height, width, 3) uint8."""
        return load_images(self.folder, files, size=self.size)

    @property
    def description(self) -> dict[str, Any]:
        """All that a model needs beside its weights to classify a new image."""
        return {
            "classes": list(self.classes),
            "size": list(self.size),
            "encoder": self.encoder.to_dict(),
            "variant": self.name,
            **asdict(storage_choice().option),
        }


class CifarSource:
    """CIFAR-100 from its official files; a tenth of each class of the training part validates."""

    name = "cifar100"
    size = (SIDE, SIDE)
    copies = ""

    def __init__(self, folder: Path | str, *, seed: int = 0) -> None:
        self.folder, self.seed = Path(folder), seed
        self.parts = {part: read_cifar100(folder, part) for part in ("train", "test")}
        self.classes = self.parts["train"].names

    @property
    def content(self) -> dict[str, Any]:
        """Hashes of the two files, and the seed of the split."""
        hashes = [file_hash(self.folder / part) for part in self.parts]
        return {"cifar100": hashes, "seed": self.seed}

    @cached_property
    def examples(self) -> dict[str, Any]:
        """Images and labels of each part; each image counts as a lesion of its own."""
        train, test = self.parts["train"], self.parts["test"]
        order = np.array(stratified_order(train.labels.astype(str).tolist(), seed=self.seed))
        spare = round(CIFAR_VALIDATION * len(order))
        return {
            "train": self._examples(train, np.sort(order[spare:])),
            "validation": self._examples(train, np.sort(order[:spare])),
            "test": self._examples(test, np.arange(len(test.labels))),
        }

    def _examples(self, part: Any, chosen: np.ndarray) -> Any:
        from slimderm.components.training.batches import Examples

        return Examples(
            images=part.images[chosen],
            metadata=np.zeros((len(chosen), 0), np.float32),
            labels=part.labels[chosen],
            lesions=chosen.astype(str),
        )

    @property
    def description(self) -> dict[str, Any]:
        """Classes and size; there is no metadata."""
        return {"classes": list(self.classes), "size": list(self.size), "variant": self.name}
