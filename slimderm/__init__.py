"""The public face: ``from slimderm import prune, Budget, Limits``; Keras is loaded at first use."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slimderm.components.pruning.method import Budget, Limits
    from slimderm.components.pruning.pruner import prune

__all__ = ["Budget", "Limits", "prune"]

_HOMES = {
    "Budget": "slimderm.components.pruning.method",
    "Limits": "slimderm.components.pruning.method",
    "prune": "slimderm.components.pruning.pruner",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'slimderm' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
