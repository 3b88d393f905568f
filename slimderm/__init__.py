"""The public face of SlimDerm: what ``from slimderm import …`` gives.

Pruning needs Keras, NumPy and SciPy (``pip install slimderm``) and one of Keras's backends; images
need the platform (``pip install 'slimderm[platform]'``). Nothing is imported before its first use.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slimderm.components.common.errors import ImageError, ParameterError, SlimDermError
    from slimderm.components.compression.svd import Decomposition, decompose
    from slimderm.components.compression.write import compress_image as compress
    from slimderm.components.dataset.images import decode_image
    from slimderm.components.model_graph.custom_rules import register_rule
    from slimderm.components.network_compression.packed import packed
    from slimderm.components.network_compression.slim_file import load as load_slim
    from slimderm.components.network_compression.slim_file import save as save_slim
    from slimderm.components.pruning.by_hand import (
        CoupledChannels,
        coupled_channels,
        remove_channels,
    )
    from slimderm.components.pruning.latency_table import LatencyTable
    from slimderm.components.pruning.layer_latency import layer_latencies
    from slimderm.components.pruning.method import Budget, Limits
    from slimderm.components.pruning.proof import verify
    from slimderm.components.pruning.pruner import Pruned, Report, prune
    from slimderm.components.pruning.replay import replay
    from slimderm.components.pruning.sensitivity import Sensitivity, sensitivity
    from slimderm.components.pruning.sparse_training import (
        GroupLasso,
        GrowingRegularization,
        NetworkSlimming,
    )
    from slimderm.components.reporting.sensitivity_plot import sensitivity_plot

    __version__: str

__all__ = [
    "Budget",
    "CoupledChannels",
    "Decomposition",
    "GroupLasso",
    "GrowingRegularization",
    "ImageError",
    "LatencyTable",
    "Limits",
    "NetworkSlimming",
    "ParameterError",
    "Pruned",
    "Report",
    "Sensitivity",
    "SlimDermError",
    "__version__",
    "compress",
    "coupled_channels",
    "decode_image",
    "decompose",
    "layer_latencies",
    "load_slim",
    "packed",
    "prune",
    "register_rule",
    "remove_channels",
    "replay",
    "save_slim",
    "sensitivity",
    "sensitivity_plot",
    "verify",
]

_BACKENDS = ("tensorflow", "jax", "torch")
_PLACES = {
    "Budget": "pruning.method:Budget",
    "CoupledChannels": "pruning.by_hand:CoupledChannels",
    "Decomposition": "compression.svd:Decomposition",
    "GroupLasso": "pruning.sparse_training:GroupLasso",
    "GrowingRegularization": "pruning.sparse_training:GrowingRegularization",
    "ImageError": "common.errors:ImageError",
    "LatencyTable": "pruning.latency_table:LatencyTable",
    "Limits": "pruning.method:Limits",
    "NetworkSlimming": "pruning.sparse_training:NetworkSlimming",
    "ParameterError": "common.errors:ParameterError",
    "Pruned": "pruning.pruner:Pruned",
    "Report": "pruning.pruner:Report",
    "Sensitivity": "pruning.sensitivity:Sensitivity",
    "SlimDermError": "common.errors:SlimDermError",
    "compress": "compression.write:compress_image",
    "coupled_channels": "pruning.by_hand:coupled_channels",
    "decode_image": "dataset.images:decode_image",
    "decompose": "compression.svd:decompose",
    "layer_latencies": "pruning.layer_latency:layer_latencies",
    "load_slim": "network_compression.slim_file:load",
    "packed": "network_compression.packed:packed",
    "prune": "pruning.pruner:prune",
    "register_rule": "model_graph.custom_rules:register_rule",
    "remove_channels": "pruning.by_hand:remove_channels",
    "replay": "pruning.replay:replay",
    "save_slim": "network_compression.slim_file:save",
    "sensitivity": "pruning.sensitivity:sensitivity",
    "sensitivity_plot": "reporting.sensitivity_plot:sensitivity_plot",
    "verify": "pruning.proof:verify",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        found: Any = _version()
    elif name in _PLACES:
        found = _load(name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _load(name: str) -> Any:
    module, attribute = _PLACES[name].split(":")
    try:
        return getattr(importlib.import_module(f"{__name__}.components.{module}"), attribute)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("", __name__):
            raise
        raise ImportError(f"{name} needs {missing}: {_remedy(missing)}", name=missing) from error


def _remedy(missing: str) -> str:
    if missing in _BACKENDS:
        return (
            f"install one of {', '.join(_BACKENDS)}, and name it in the environment variable "
            "KERAS_BACKEND"
        )
    return "pip install 'slimderm[platform]'"


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(__name__)
    except PackageNotFoundError:  # a clone that is not installed
        import tomllib
        from pathlib import Path

        project = Path(__file__).parents[1] / "pyproject.toml"
        return str(tomllib.loads(project.read_text("utf-8"))["project"]["version"])
