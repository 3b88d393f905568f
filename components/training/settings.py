"""Section ``train`` of ``params.yaml``, in a module of its own: reading it needs no Keras."""

from dataclasses import dataclass

from slimderm.components.common.settings import Settings, setting

PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")


@dataclass(frozen=True)
class TrainingSettings(Settings):
    """Section ``train`` of ``params.yaml``; the defaults are the paper's.

    ``patience`` is the number of epochs without a better validation after which training stops;
    without it all epochs are trained. The input size is the resize study's choice.
    """

    epochs: int = setting(75, low=1)
    learning_rate: float = setting(0.002, above=0)
    batch_size: int = setting(32, low=1)
    precision: str = setting("auto", choices=PRECISIONS)
    patience: int | None = setting(None, low=1)
    augment: bool = setting(True, choices=(True, False))
    image_only: bool = setting(False, choices=(True, False))
    seed: int = setting(0, low=0)
