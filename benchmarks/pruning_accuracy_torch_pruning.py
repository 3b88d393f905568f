"""How ``benchmarks/pruning_accuracy.py`` calls torch-pruning; runs where PyTorch is, without Keras.

It is called as its README has it (VainF/Torch-Pruning, "High-level Pruners" and "Global Pruning and
Isomorphic Pruning"): `BasePruner` with a group importance, the classifier ignored, widths
rounded, global ranking, isomorphic or not. Gradients come before `step`, as the docstrings of the
two importances that read them show. One fault of 1.6.1 is mended here, `Hessian`.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pruning_accuracy_network as network  # of this folder; the other side has no more of ours
import torch
import torch_pruning
from torch import nn
from torch.nn import functional

# Ratios are tried in turn by such a step, and the network nearest below a budget is taken.
ROUNDED_STEP, STEP = 0.02, 0.005

Evidence = Sequence[tuple[torch.Tensor, torch.Tensor]]  # batches of images and labels


def multiply_accumulates(model: nn.Module, example: torch.Tensor) -> int:
    """Count those of one image through convolutions and the dense layer."""
    total = 0

    def count(layer: Any, _: Any, answer: torch.Tensor) -> None:
        nonlocal total
        total += layer.weight[0].numel() * answer[0].numel()

    hooks = [
        layer.register_forward_hook(count)
        for layer in model.modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    ]
    with torch.no_grad():
        model.eval()(example)
    for hook in hooks:
        hook.remove()
    return total


def nothing(model: nn.Module, importance: Any, evidence: Evidence) -> None:
    """Look at weights alone."""


def gradients(model: nn.Module, importance: Any, evidence: Evidence) -> None:
    """Accumulate the gradients of the loss over batches."""
    for images, labels in evidence:
        functional.cross_entropy(model(images), labels).backward()


def gradients_by_image(model: nn.Module, importance: Any, evidence: Evidence) -> None:
    """Accumulate the squared gradients of the loss of each image."""
    importance.zero_grad()
    for images, labels in evidence:
        losses = functional.cross_entropy(model(images), labels, reduction="none")
        for loss in losses:
            model.zero_grad()
            loss.backward(retain_graph=True)
            importance.accumulate_grad(model)


class Hessian(torch_pruning.importance.GroupHessianImportance):
    """Sums over all images.

    That of 1.6.1 keeps the last image alone: it looks for a parameter by its name among parameters.
    """

    def accumulate_grad(self, model: nn.Module) -> None:
        """Add the squared gradients of one image."""
        for each in model.parameters():
            if each.grad is not None:
                self._accu_grad[each] = self._accu_grad.get(each, 0) + each.grad.square()
                self._counter[each] = self._counter.get(each, 0) + 1


Look = Callable[[nn.Module, Any, Evidence], None]
IMPORTANCES: dict[str, tuple[Callable[[], Any], Look]] = {
    "magnitude": (lambda: torch_pruning.importance.GroupMagnitudeImportance(p=2), nothing),
    "taylor": (torch_pruning.importance.GroupTaylorImportance, gradients),
    "hessian": (Hessian, gradients_by_image),
}


def smaller(model: nn.Module, importance: Any, example: torch.Tensor, **told: Any) -> nn.Module:
    """Prune a copy; gradients come along."""
    copied, scores = copy.deepcopy((model, importance))
    for own, other in zip(copied.parameters(), model.parameters(), strict=True):
        own.grad = None if other.grad is None else other.grad.clone()
    pruner = torch_pruning.pruner.BasePruner(
        copied,
        example,
        importance=scores,
        ignored_layers=[getattr(copied, network.LAST)],
        global_pruning=True,
        **told,
    )
    pruner.step()
    return copied


def meeting(
    model: nn.Module,
    evidence: Evidence,
    budget: int,
    *,
    importance: str,
    isomorphic: bool,
    round_to: int,
) -> nn.Module:
    """Return the network with the most multiply-accumulates that meets a budget."""
    make, look = IMPORTANCES[importance]
    scores = make()
    look(model.eval(), scores, evidence)
    example = evidence[0][0][:1]
    told = {"isomorphic": isomorphic, "round_to": round_to if round_to > 1 else None}
    best, most = None, 0
    for ratio in np.arange(0.02, 0.96, ROUNDED_STEP if round_to > 1 else STEP):
        small = smaller(model, scores, example, pruning_ratio=float(ratio), **told)
        left = multiply_accumulates(small, example)
        if most < left <= budget:
            best, most = small, left
    if best is None:
        raise SystemExit(f"{importance}: no ratio leaves {budget} multiply-accumulates or fewer")
    return best
