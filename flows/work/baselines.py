"""The unpruned trainings of a network: on each variant of the dataset, and on images alone."""

from dataclasses import replace

from slimderm.components.dataset.variants import COMPRESSED, ORIGINAL
from slimderm.flows.config.layout import IMAGE_ONLY
from slimderm.flows.config.params import Params
from slimderm.flows.work.sources import LesionSource
from slimderm.flows.work.training import Trainer

# Every unpruned training, by its folder's name, and what a person reads of it.
TRAINED_ON = {
    ORIGINAL: "original images",
    COMPRESSED: "compressed images",
    IMAGE_ONLY: "original images without age, sex and site",
}


def unpruned_trainers(params: Params, network: str) -> dict[str, Trainer]:
    """Return the trainers of a network's unpruned trainings, by the names of their folders.

    The one on images alone is the ablation: what it lacks against ``original`` is what age, sex and
    site contribute. ``evaluate.ablation: false`` leaves it out.
    """
    original = LesionSource(params, ORIGINAL)
    trainers = {
        ORIGINAL: Trainer(params, network, original),
        COMPRESSED: Trainer(params, network, LesionSource(params, COMPRESSED)),
    }
    if params.evaluate.ablation and not trainers[ORIGINAL].image_only:
        alone = replace(params, train=replace(params.train, image_only=True))
        trainers[IMAGE_ONLY] = Trainer(alone, network, original)
    return trainers
