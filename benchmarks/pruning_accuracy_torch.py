"""The PyTorch side of ``benchmarks/pruning_accuracy.py``: trains for both, calls torch-pruning.

It runs where PyTorch is, without Keras, and reads a list of jobs in JSON from its standard input.
torch-pruning is called as its README has it (VainF/Torch-Pruning, "High-level Pruners" and "Global
Pruning and Isomorphic Pruning"): `BasePruner` with a group importance, the classifier ignored,
widths rounded to eights, global ranking, isomorphic or not. Gradients come before `step`, as the
docstrings of the two importances that read them show.
"""

import copy
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pruning_accuracy_network as network  # of this folder; the other side has no more of ours
import torch
import torch_pruning
from torch import nn
from torch.nn import functional

BATCH, MOMENTUM, DECAY = 64, 0.9, 5e-4
ROUND_TO = 8
RATIOS = np.arange(0.02, 0.96, 0.02)  # tried in turn; the network nearest below a budget is taken


class Network(nn.Module):
    """The network of `pruning_accuracy_network`, as wide as its weights are."""

    def __init__(self, widths: dict[str, tuple[int, ...]]) -> None:
        super().__init__()
        for each in network.convolutions():
            made, read = widths[f"{each.name}.weight"][:2]
            convolution = nn.Conv2d(
                read, made, each.size, each.stride, padding=each.size // 2, bias=False
            )
            self.add_module(each.name, convolution)
            self.add_module(f"{each.name}_norm", nn.BatchNorm2d(made))
        classes, read = widths[f"{network.LAST}.weight"]
        self.add_module(network.LAST, nn.Linear(read, classes))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits, (N, C), of images (N, 3, H, W)."""
        parts = dict(self.named_children())
        layers = network.Layers(
            normalised=lambda each, x: parts[f"{each.name}_norm"](parts[each.name](x)),
            relu=functional.relu,
            add=torch.add,
            halve=lambda x: functional.max_pool2d(x, 2),
            classify=lambda x: parts[network.LAST](x.mean((2, 3))),
        )
        return network.connected(layers, image)


def loaded(weights: Any) -> Network:
    """Build a network of given weights."""
    names = [name for name in weights if not name.startswith("logits")]
    model = Network({name: weights[name].shape for name in names})
    state = {name: torch.from_numpy(np.array(weights[name])) for name in names}
    missing = model.load_state_dict(state, strict=False)
    wanted = [name for name in missing.missing_keys if not name.endswith("num_batches_tracked")]
    if wanted or missing.unexpected_keys:
        raise SystemExit(f"weights: lacking {wanted}, unknown {missing.unexpected_keys}")
    return model


def weights_of(model: nn.Module) -> network.Weights:
    """Return a network's weights and statistics."""
    state = model.state_dict().items()
    return {name: each.numpy() for name, each in state if not name.endswith("num_batches_tracked")}


def tensor(images: Any) -> torch.Tensor:
    """Put channels first."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


@torch.no_grad()
def logits(model: nn.Module, images: Any) -> Any:
    """Return a network's answers to images as they are stored, (N, C)."""
    model.eval()
    parts = [images[at : at + 256] for at in range(0, len(images), 256)]
    return np.concatenate([model(tensor(network.scaled(part))).numpy() for part in parts])


def fit(data: Any, job: dict[str, Any]) -> None:
    """Train a network, fresh or pruned, and keep its weights and its answers before and after."""
    torch.manual_seed(job["seed"])
    start = job["start"]
    classes = int(data["labels_train"].max()) + 1
    model = loaded(dict(np.load(start))) if start else Network(network.whole(classes))
    found = {"logits_before": logits(model, data["images_test"])} if start else {}
    steps = job["epochs"] * (job["number"] // BATCH)
    optimizer = torch.optim.SGD(
        model.parameters(), job["rate"], MOMENTUM, weight_decay=DECAY, nesterov=True
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps))
    for epoch in range(job["epochs"]):
        model.train()
        losses = []
        for images, labels in network.batches(
            data["images_train"],
            data["labels_train"],
            number=job["number"],
            size=BATCH,
            seed=(job["seed"], job["phase"], epoch),
        ):
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(tensor(images)), torch.from_numpy(labels))
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        print(f"  epoch {epoch + 1}: loss {np.mean(losses):.3f}", file=sys.stderr, flush=True)
    for part in ("validation", "test"):
        found[f"logits_{part}"] = logits(model, data[f"images_{part}"])
    keep(Path(job["out"]), weights_of(model) | found)


def keep(path: Path, arrays: dict[str, Any]) -> None:
    """Write arrays, whole or not at all."""
    draft = path.with_suffix(".draft.npz")
    np.savez(draft, **arrays)
    draft.replace(path)


def multiply_accumulates(model: nn.Module, shape: tuple[int, ...]) -> int:
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
        model.eval()(torch.zeros(1, *shape))
    for hook in hooks:
        hook.remove()
    return total


def nothing(model: nn.Module, importance: Any, evidence: Any) -> None:
    """Look at weights alone."""


def gradients(model: nn.Module, importance: Any, evidence: Any) -> None:
    """Accumulate the gradients of the loss over batches."""
    for images, labels in evidence:
        functional.cross_entropy(model(tensor(images)), torch.from_numpy(labels)).backward()


def gradients_by_image(model: nn.Module, importance: Any, evidence: Any) -> None:
    """Accumulate the squared gradients of the loss of each image."""
    importance.zero_grad()
    for images, labels in evidence:
        answers = model(tensor(images))
        losses = functional.cross_entropy(answers, torch.from_numpy(labels), reduction="none")
        for loss in losses:
            model.zero_grad()
            loss.backward(retain_graph=True)
            importance.accumulate_grad(model)


Look = Callable[[nn.Module, Any, Any], None]
IMPORTANCES: dict[str, tuple[Callable[[], Any], Look]] = {
    "magnitude": (lambda: torch_pruning.importance.GroupMagnitudeImportance(p=2), nothing),
    "taylor": (torch_pruning.importance.GroupTaylorImportance, gradients),
    "hessian": (torch_pruning.importance.GroupHessianImportance, gradients_by_image),
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
        round_to=ROUND_TO,
        global_pruning=True,
        **told,
    )
    pruner.step()
    return copied


def prune(data: Any, job: dict[str, Any]) -> None:
    """Keep, for each budget, the network with the most multiply-accumulates that meets it."""
    model = loaded(dict(np.load(job["start"]))).eval()
    make, look = IMPORTANCES[job["importance"]]
    importance = make()
    evidence = list(zip(data["images_evidence"], data["labels_evidence"], strict=True))
    look(model, importance, evidence)
    example = tensor(data["images_evidence"][0][:1])
    shape = tuple(example.shape[1:])
    tried = []
    for ratio in RATIOS:
        told = {"pruning_ratio": float(ratio), "isomorphic": job["isomorphic"]}
        small = smaller(model, importance, example, **told)
        tried.append((multiply_accumulates(small, shape), small))
    for budget, out in zip(job["budgets"], job["outs"], strict=True):
        fitting = [each for each in tried if each[0] <= budget]
        if not fitting:
            raise SystemExit(f"{out}: no ratio gives {budget} multiply-accumulates or fewer")
        keep(Path(out), weights_of(max(fitting, key=lambda each: each[0])[1]))


JOBS = {"fit": fit, "prune": prune}


def main() -> None:
    """Do the jobs in turn; those whose result is there are not done again."""
    warnings.filterwarnings("ignore")
    given = json.load(sys.stdin)
    torch.set_num_threads(given["threads"])
    data = dict(np.load(given["data"]))
    for job in given["jobs"]:
        outs = job.get("outs") or [job["out"]]
        if all(Path(out).exists() for out in outs):
            continue
        started = time.perf_counter()
        JOBS[job["do"]](data, job)
        seconds = time.perf_counter() - started
        print(f"{job['do']} {Path(outs[0]).stem}: {seconds:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
