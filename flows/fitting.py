"""One training, keyed by its content: what the train and the prune step share.

A `Workshop` holds one network's examples of one variant of the dataset. `Workshop.fit` trains the
network at given widths, or finds that training in the cache; the folder it returns holds the model,
its history and every measurement but those on the test part, which `Workshop.test` adds when asked.
"""

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from components.dataset.catalog import read_catalog
from components.dataset.images import load_images
from components.dataset.labels import class_names
from components.dataset.splits import check_no_leak
from components.pruning.widths import Widths
from flows.params import Params
from flows.runtime import (
    cached,
    code_hash,
    content_key,
    file_hash,
    load_keras,
    progress_bar,
    read_json,
    write_json,
)

PARTS = ("train", "validation", "test")
RESIZE = Path("data/resize")
FOLDERS = {"original": Path("data/raw"), "compressed": Path("data/compressed")}


@dataclass(frozen=True)
class Fitted:
    """A finished training in the cache."""

    key: str
    folder: Path
    test: dict[str, Any] | None = None

    @cached_property
    def record(self) -> dict[str, Any]:
        """Sizes, counts, times and the metrics of the training and validation parts."""
        return dict(read_json(self.folder / "record.json"))

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics alone, as acceptance reads them: ``validation_accuracy`` and the like."""
        return {**self.record["metrics"], **(self.test or {"metrics": {}})["metrics"]}

    @property
    def full_record(self) -> dict[str, Any]:
        """The record with its key, and with the judgement on test where there is one."""
        found = {**self.record, **(self.test or {}), "key": self.key}
        return found | {"metrics": self.metrics}


class Workshop:
    """Trains one network on one variant of the dataset.

    Parameters
    ----------
    params : Params
        All parameters; the sections train and evaluate shape the result and so the key.
    network : str
        Name of the network.
    variant : str
        ``"original"`` or ``"compressed"``.

    Raises
    ------
    LeakError
        If a lesion or a byte-identical image stands on two sides of the split.
    """

    def __init__(self, params: Params, network: str, variant: str) -> None:
        self.params, self.network, self.variant = params, network, variant
        catalog = read_catalog(FOLDERS["original"])
        splits = pd.read_csv("data/splits.csv", dtype={"image_id": str, "lesion_id": str})
        check_no_leak(catalog, splits)
        self.classes = class_names(params.ingest.classes, set(catalog["dx"]))
        self.frame = catalog.merge(splits[["image_id", "part"]], on="image_id", validate="1:1")
        if variant == "compressed":
            manifest = pd.read_parquet(FOLDERS[variant] / "manifest.parquet")
            stored = manifest[["image_id", "file"]]
            self.frame = self.frame.drop(columns="file").merge(stored, on="image_id")
        choice = read_json(RESIZE / "choice.json")
        self.size: tuple[int, int] = (choice["height"], choice["width"])
        tables = [FOLDERS["original"] / "catalog.csv", Path("data/splits.csv")]
        if variant == "compressed":
            tables.append(FOLDERS[variant] / "manifest.parquet")
        self.key = content_key(
            data=[file_hash(table) for table in tables],  # they hold each image's hash
            classes=self.classes,
            size=self.size,
            train=asdict(params.train),
            evaluate=asdict(params.evaluate),
            code=code_hash("components/training", "components/dataset"),
        )

    @cached_property
    def encoder(self) -> Any:
        """Metadata preprocessing, fitted on the training part alone."""
        from components.training.metadata import MetadataEncoder

        return MetadataEncoder.fit(self.frame[self.frame["part"] == "train"])

    @cached_property
    def examples(self) -> dict[str, Any]:
        """Decoded images, encoded metadata and labels of each part."""
        from components.training.batches import Examples

        found = {}
        with progress_bar(f"{self.network}: read {self.variant}", len(self.frame)) as update:
            done = 0
            for part in PARTS:
                rows = self.frame[self.frame["part"] == part].sort_values("image_id")
                found[part] = Examples(
                    images=load_images(
                        FOLDERS[self.variant],
                        rows["file"].tolist(),
                        size=self.size,
                    ),
                    metadata=self.encoder.transform(rows),
                    labels=np.array([self.classes.index(name) for name in rows["label"]]),
                    lesions=rows["lesion_id"].to_numpy(dtype=str),
                )
                done += len(rows)
                update(done)
        return found

    def fit(self, widths: Widths, title: str) -> Fitted:
        """Train at `widths`, or return the training of the same content from the cache."""
        key = content_key(workshop=self.key, network=self.network, widths=asdict(widths))
        folder = cached(
            self.params.record.cache, key, lambda draft: self._fit(draft, widths, title)
        )
        return Fitted(key, folder)

    def _build(self, widths: Widths) -> Any:
        from components.training.networks import build
        from components.training.precision import choose_precision

        settings = self.params.train
        return build(
            self.network,
            input_shape=self.size,
            num_classes=len(self.classes),
            convolutions=widths.convolutions,
            dense=widths.dense,
            image_only=settings.image_only,
            precision=choose_precision(settings.precision),
            seed=settings.seed,
        )

    def _fit(self, draft: Path, widths: Widths, title: str) -> None:
        keras = load_keras()
        from components.training import evaluate
        from components.training.counts import count_multiply_accumulates
        from components.training.fit import fit
        from components.training.sampling import equal_classes

        settings = self.params.train
        examples = self.examples
        model = self._build(widths)
        with progress_bar(title, settings.epochs) as update:
            history = fit(
                model,
                examples["train"],
                examples["validation"],
                settings,
                on_epoch=lambda epoch, logs: update(
                    epoch, f"validation accuracy {logs['validation_accuracy']:.3f}"
                ),
            )
        model.save(draft / "model.keras")
        history.frame.to_csv(draft / "history.csv", index=False)
        with_optimizer, without_optimizer = evaluate.file_sizes(model)
        metrics: dict[str, float] = {}
        for part in ("train", "validation"):
            judged = examples[part]
            if part == "train":
                judged = equal_classes(judged, seed=settings.seed)
            probabilities = evaluate.predict(model, judged)
            values = evaluate.classification_metrics(
                judged.labels, probabilities, melanoma=self.melanoma
            )
            metrics |= {f"{part}_{name}": value for name, value in values.items()}
        record = {
            "network": self.network,
            "variant": self.variant,
            "widths": asdict(widths),
            "num_parameters": model.count_params(),
            "multiply_accumulates": count_multiply_accumulates(model),
            "bytes_with_optimizer": with_optimizer,
            "bytes": without_optimizer,
            "training_seconds": history.seconds,
            "best_epoch": history.best_epoch,
            "precision": model.layers[-2].dtype_policy.name,
            "latency_p50_ms": evaluate.latency(model, repeats=self.params.evaluate.latency_repeats),
            "metrics": metrics,
        }
        write_json(draft / "record.json", record)
        keras.backend.clear_session()

    @property
    def melanoma(self) -> int:
        """Index of the melanoma class."""
        return self.classes.index("melanoma")

    def tested(self, fitted: Fitted) -> Fitted:
        """Judge a finished training on the test part, or find that judgement in the cache.

        Returns
        -------
        Fitted
            With ``test``: ``metrics`` (``test_accuracy`` and the like), ``intervals`` (metric to
            low and high, lesion-level bootstrap), ``confusion`` (rows true, columns predicted),
            ``classes``, ``num_images``, ``num_lesions``.
        """
        key = content_key(fitted=fitted.key, part="test")
        folder = cached(
            self.params.record.cache,
            key,
            lambda draft: write_json(draft / "test.json", self._test(fitted)),
        )
        return replace(fitted, test=read_json(folder / "test.json"))

    def _test(self, fitted: Fitted) -> dict[str, Any]:
        keras = load_keras()
        from components.training import evaluate

        model = keras.models.load_model(fitted.folder / "model.keras", compile=False)
        examples = self.examples["test"]
        probabilities = evaluate.predict(model, examples)
        settings = self.params.evaluate
        values = evaluate.classification_metrics(
            examples.labels, probabilities, melanoma=self.melanoma
        )
        intervals = evaluate.bootstrap_intervals(
            examples.labels,
            probabilities,
            examples.lesions,
            melanoma=self.melanoma,
            num_samples=settings.bootstrap_samples,
            confidence=settings.confidence,
            seed=settings.seed,
        )
        confusion = evaluate.confusion_matrix(examples.labels, probabilities)
        return {
            "metrics": {f"test_{name}": value for name, value in values.items()},
            "intervals": {f"test_{name}": list(pair) for name, pair in intervals.items()},
            "confusion": confusion.tolist(),
            "classes": list(self.classes),
            "num_images": len(examples.labels),
            "num_lesions": len(set(examples.lesions)),
        }

    def description(self) -> dict[str, Any]:
        """All that a model needs beside its weights to classify a new image."""
        choice = read_json("data/choice.json")
        return {
            "network": self.network,
            "classes": list(self.classes),
            "size": list(self.size),
            "image_only": self.params.train.image_only,
            "encoder": self.encoder.to_dict(),
            "variant": self.variant,
            "k": choice["k"],
            "codec": choice["codec"],
            "quality": choice["quality"],
        }
