"""The PyTorch side of ``benchmarks/pruning_accuracy.py``: trains for both, calls torch-pruning.

It runs where PyTorch is, without Keras, and reads a list of jobs in JSON from its standard input.
"""

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pruning_accuracy_network as network  # of this folder; the other side has no more of ours
import torch
from pruning_accuracy_torch_pruning import meeting
from torch import nn
from torch.nn import functional

BATCH, MOMENTUM, DECAY = 64, 0.9, 5e-4


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


def prune(data: Any, job: dict[str, Any]) -> None:
    """Prune a network to a budget, and keep the weights."""
    pairs = zip(data["images_evidence"], data["labels_evidence"], strict=True)
    evidence = [(tensor(images), torch.from_numpy(labels)) for images, labels in pairs]
    how = {name: job[name] for name in ("importance", "isomorphic", "round_to")}
    model = meeting(loaded(dict(np.load(job["start"]))), evidence, job["budget"], **how)
    keep(Path(job["out"]), weights_of(model))


JOBS = {"fit": fit, "prune": prune}


def main() -> None:
    """Do the jobs in turn."""
    warnings.filterwarnings("ignore")
    given = json.load(sys.stdin)
    torch.set_num_threads(given["threads"])
    data = dict(np.load(given["data"]))
    for job in given["jobs"]:
        started = time.perf_counter()
        JOBS[job["do"]](data, job)
        seconds = time.perf_counter() - started
        print(f"{job['do']} {Path(job['out']).stem}: {seconds:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
