"""One training, keyed by its content: what the train step, the prune step and the studies share.

A `Trainer` trains one network on the examples of one source. `Trainer.fit` trains the unpruned
network, `Trainer.refit` whatever network a pruning step makes, and `Trainer.remake` keeps one that
was trained while it was made; or each finds its network in the cache. The folder it returns holds
the model, its history and every measurement but those on the test part, which `Trainer.tested` adds
when asked.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slimderm.components.common.cache import cached, content_key
from slimderm.components.training.networks import NETWORKS
from slimderm.components.training.settings import TrainingSettings
from slimderm.flows.base.code import code_hash
from slimderm.flows.base.files import file_hash, read_json, write_json
from slimderm.flows.base.keras_loader import load_keras
from slimderm.flows.base.terminal import progress_bar
from slimderm.flows.config.params import EvaluateSettings, Params
from slimderm.flows.work.judging import judge_parts, judge_test, permute_metadata
from slimderm.flows.work.sources import ExampleSource
from slimderm.flows.work.training_run import TrainingRun

if TYPE_CHECKING:
    from slimderm.components.training.fit import History

Make = Callable[[Path], Any]  # an empty folder for notes on how it was made, to an untrained model
# The same to a finished model and the trainings that were part of its making.
Remake = Callable[[Path], "tuple[Any, Sequence[History]]"]


class Trainer:
    """Trains one network on the examples of one source.

    Parameters
    ----------
    params : Params
        All parameters; the sections train and evaluate shape the result and so the key.
    network : str
        Name of the network.
    source : ExampleSource
        Where the examples come from.
    weights : path, optional
        A file of ImageNet weights, for a backbone; the one of the section train by default.
    """

    def __init__(
        self, params: Params, network: str, source: ExampleSource, *, weights: str | None = None
    ) -> None:
        self.params, self.network, self.source = params, network, source
        self.weights = weights = weights or params.train.weights.get(network)
        self.key = content_key(
            **source.content,
            weights=file_hash(weights) if weights else None,
            train=params.train.in_effect(),
            evaluate=_of_one_training(params.evaluate),
            code=code_hash(__name__),
        )

    def with_seed(self, seed: int) -> "Trainer":
        """Return a trainer of the same network and examples by another training seed."""
        params = replace(self.params, train=replace(self.params.train, seed=seed))
        return Trainer(params, self.network, self.source, weights=self.weights)

    def fit(self, title: str) -> TrainingRun:
        """Train the unpruned network, or return the training of the same content."""
        recipe = {"unpruned": self.network}
        return self.refit(recipe, lambda draft: self.build(), title, transfer=bool(self.weights))

    def refit(
        self,
        recipe: Mapping[str, Any],
        make: Make,
        title: str,
        *,
        train: TrainingSettings | None = None,
        transfer: bool = False,
    ) -> TrainingRun:
        """Train what `make` makes, or return the training of the same content from the cache.

        Parameters
        ----------
        recipe : mapping
            JSON-able; says all that `make` depends on.
        make : callable
            Makes the model, and may write notes into the folder it is given.
        title : str
            Of the progress bar.
        train : TrainingSettings, optional
            Instead of the section train.
        transfer : bool
            Whether layers are frozen as the settings say.
        """
        settings = train or self.params.train
        key = content_key(trainer=self.key, recipe=dict(recipe), train=settings.in_effect())
        folder = cached(
            self.params.record.cache,
            key,
            lambda draft: self._train(draft, make(draft), settings, title, transfer),
        )
        return TrainingRun(key, folder)

    def remake(self, recipe: Mapping[str, Any], make: Remake) -> TrainingRun:
        """Keep and measure a network that is made of a trained one, or find it in the cache.

        Parameters
        ----------
        recipe : mapping
            JSON-able; says all that `make` depends on.
        make : callable
            Makes the finished network, perhaps by `train`, and may write notes into the folder.
        """
        key = content_key(trainer=self.key, recipe=dict(recipe))
        folder = cached(
            self.params.record.cache, key, lambda draft: self._keep(draft, *make(draft))
        )
        return TrainingRun(key, folder)

    def batches(self, number: int) -> "Iterator[tuple[Any, np.ndarray]]":
        """Yield the first balanced batches of the training part, not augmented."""
        from slimderm.components.training.batches import BalancedBatches

        settings = self.params.train
        batches = BalancedBatches(
            self.source.examples["train"],
            num_classes=len(self.source.classes),
            batch_size=settings.batch_size,
            seed=settings.seed,
            augmented=False,
            image_only=self.image_only,
        )
        return (batches[index] for index in range(min(number, len(batches))))

    @property
    def image_only(self) -> bool:
        """Whether the network sees no metadata."""
        return self.params.train.image_only or self.network not in NETWORKS

    def build(self) -> Any:
        """Build the unpruned network with fresh weights."""
        load_keras()
        from slimderm.components.training.build import build
        from slimderm.components.training.build_backbone import build_backbone
        from slimderm.components.training.precision import choose_precision

        settings = self.params.train
        shared: dict[str, Any] = {
            "input_shape": self.source.size,
            "num_classes": len(self.source.classes),
            "precision": choose_precision(settings.precision),
            "seed": settings.seed,
        }
        if self.network in NETWORKS:
            return build(self.network, image_only=settings.image_only, **shared)
        return build_backbone(self.network, weights=self.weights, **shared)

    def _train(
        self, draft: Path, model: Any, settings: TrainingSettings, title: str, transfer: bool
    ) -> None:
        self._keep(draft, model, [self.train(model, settings, title, transfer=transfer)])

    def train(
        self, model: Any, settings: TrainingSettings, title: str, *, transfer: bool = False
    ) -> "History":
        """Train a model in place; nothing is kept of it."""
        from slimderm.components.training.fit import fit
        from slimderm.components.training.transfer import fit_transferred

        train = fit_transferred if transfer else fit
        examples = self.source.examples
        with progress_bar(title, settings.epochs) as update:
            return train(
                model,
                examples["train"],
                examples["validation"],
                settings,
                on_epoch=lambda epoch, logs: update(
                    epoch, f"validation accuracy {logs['validation_accuracy']:.3f}"
                ),
            )

    def settle(self, model: Any) -> None:
        """Give a network that was changed without training the statistics of its own outputs."""
        from slimderm.components.training.fit import settle_statistics

        settle_statistics(model, self.source.examples["train"], self.params.train)

    def _keep(self, draft: Path, model: Any, histories: "Sequence[History]") -> None:
        """Save a model with its trainings and all that is measured without the test part."""
        keras = load_keras()
        import pandas as pd

        from slimderm.components.model_graph.cost import multiply_accumulates
        from slimderm.components.model_graph.latency import latency
        from slimderm.components.training.file_size import bytes_with_optimizer, without_optimizer

        path = draft / "model.keras"
        without_optimizer(model).save(path)
        if histories:
            epochs = pd.concat([history.frame for history in histories], ignore_index=True)
            epochs.assign(epoch=epochs.index + 1).to_csv(draft / "history.csv", index=False)
        record = {
            "network": self.network,
            "variant": self.source.name,
            "widths": widths_of(model),
            "num_parameters": model.count_params(),
            "multiply_accumulates": multiply_accumulates(model),
            "bytes_with_optimizer": bytes_with_optimizer(model),
            "bytes": path.stat().st_size,
            "training_seconds": sum(history.seconds for history in histories),
            "best_epoch": histories[-1].best_epoch if histories else 0,
            "precision": model.layers[-2].dtype_policy.name,
            "latency_p50_ms": latency(model, repeats=self.params.evaluate.latency_repeats),
            "metrics": judge_parts(
                draft, model, self.source, self.params.train, melanoma=self.melanoma
            ),
            "image_only": self.image_only,
            "permutation": []
            if self.image_only
            else permute_metadata(model, self.source, self.params.evaluate),
        }
        write_json(draft / "record.json", record)
        # Collects garbage, too: networks before this one, which hold themselves in circles.
        keras.backend.clear_session()

    @property
    def melanoma(self) -> int | None:
        """Index of the melanoma class, where there is one."""
        classes = self.source.classes
        return classes.index("melanoma") if "melanoma" in classes else None

    def tested(self, trained: TrainingRun) -> TrainingRun:
        """Judge a finished training on the test part, or find that judgement in the cache.

        Returns
        -------
        TrainingRun
            With ``test``: ``metrics`` (``test_accuracy`` and the like), ``intervals`` (metric to
            low and high, lesion-level bootstrap), ``confusion`` (rows true, columns predicted),
            ``classes``, ``num_images`` (copies among them: ``num_copies``), ``num_lesions``, and
            ``predictions``, the file that holds probabilities, labels and lesions.
        """
        key = content_key(trained=trained.key, part="test")
        folder = cached(
            self.params.record.cache,
            key,
            lambda draft: judge_test(
                draft, trained.load(), self.source, self.params.evaluate, melanoma=self.melanoma
            ),
        )
        test = read_json(folder / "test.json")
        return replace(trained, test=test | {"predictions": str(folder / "predictions.npz")})

    def description(self) -> dict[str, Any]:
        """All that a model needs beside its weights to classify a new image."""
        own = {"network": self.network, "image_only": self.image_only}
        return self.source.description | own


def _of_one_training(settings: EvaluateSettings) -> dict[str, Any]:
    """Return what shapes one training: not whether another stands beside it."""
    return {name: value for name, value in asdict(settings).items() if name != "ablation"}


def widths_of(model: Any) -> dict[str, list[int]]:
    """Return the filters of each convolution and the units of the dense layers that shrink."""
    filters = [layer.filters for layer in model.layers if getattr(layer, "filters", None)]
    dense = [layer for layer in model.layers if layer.name.startswith("dense")]
    return {
        "convolutions": filters,
        "dense": [layer.units for layer in dense if hasattr(layer, "units")],
    }
