"""torch-pruning's side of ``benchmarks/pruning.py``; runs where PyTorch is, without Keras.

It is called as its own examples call it (VainF/Torch-Pruning): L1 importance, a ratio of one half,
the classifier ignored. ``examples/torchvision_models/torchvision_pruning.py`` also rounds a vision
transformer's widths to its number of heads, and sets its ``hidden_dim`` afterwards. That script
names torchvision's Swin among what fails; ``examples/transformers/prune_hf_swin.py`` prunes the one
of `transformers` instead, with ``num_heads`` for queries, keys and values, roots that are dense
layers, normalisation and merging of patches, and a pruner of its own for the latter, which is
written here again.
"""

import statistics
import warnings
from typing import Any

import torch
import torch_pruning
import torchvision
from pruning_timing import Effort, alternate


def count(model: Any) -> int:
    """Count parameters; buffers, such as the moving statistics of normalisation, are none."""
    return sum(parameter.numel() for parameter in model.parameters())


class Merging(torch_pruning.BasePruningFunc):
    """Prunes what makes one place of four: each channel comes in four times."""

    def prune_out_channels(self, layer: Any, idxs: list[int]) -> Any:
        """Take away what the dense layer makes."""
        torch_pruning.prune_linear_out_channels(layer.reduction, idxs)
        return layer

    def prune_in_channels(self, layer: Any, idxs: list[int]) -> Any:
        """Take away what is normalised and read, at all four places."""
        four = [index + place * layer.dim for place in range(4) for index in idxs]
        torch_pruning.prune_linear_in_channels(layer.reduction, four)
        torch_pruning.prune_layernorm_out_channels(layer.norm, four)
        return layer

    def get_out_channels(self, layer: Any) -> int:
        """Count what the dense layer makes."""
        return int(layer.reduction.out_features)

    def get_in_channels(self, layer: Any) -> int:
        """Count the channels of one place."""
        return int(layer.dim)


def make(name: str) -> tuple[Any, dict[str, Any]]:
    """Build a network, and say what its pruner is told beside ratio and importance."""
    if name != "swin_t":
        model = getattr(torchvision.models, name)(weights=None).eval()
        last = [layer for layer in model.modules() if isinstance(layer, torch.nn.Linear)][-1]
        more = {"round_to": 12} if name == "vit_b_16" else {}
        return model, {"ignored_layers": [last], **more}
    from transformers import SwinConfig, SwinForImageClassification
    from transformers.models.swin.modeling_swin import SwinPatchMerging, SwinSelfAttention

    model = SwinForImageClassification(SwinConfig(num_labels=1000)).eval()
    attention = [layer for layer in model.modules() if isinstance(layer, SwinSelfAttention)]
    return model, {
        "ignored_layers": [model.classifier],
        "num_heads": {
            part: layer.num_attention_heads
            for layer in attention
            for part in (layer.query, layer.key, layer.value)
        },
        "output_transform": lambda outputs: outputs.logits.sum(),
        "customized_pruners": {SwinPatchMerging: Merging()},
        "root_module_types": (torch.nn.Linear, torch.nn.LayerNorm, SwinPatchMerging),
    }


def settle(name: str, model: Any) -> None:
    """Tell a pruned network the widths that it has noted beside its layers."""
    if name == "vit_b_16":
        model.hidden_dim = model.conv_proj.out_channels
    for layer in model.modules():
        if type(layer).__name__ == "SwinSelfAttention":
            layer.all_head_size = layer.query.out_features
            layer.attention_head_size = layer.all_head_size // layer.num_attention_heads


def measure(name: str, effort: Effort) -> dict[str, Any]:
    """Measure the pruner, and what it gains."""
    warnings.filterwarnings("ignore")
    torch.set_num_threads(effort.threads)
    image, clock = torch.zeros(1, 3, effort.size, effort.size), effort.clock

    def build() -> tuple[Any, Any, float]:
        model, told = make(name)
        started = clock()
        pruner = torch_pruning.pruner.MagnitudePruner(
            model,
            image,
            importance=torch_pruning.importance.MagnitudeImportance(p=1),
            pruning_ratio=0.5,
            **told,
        )
        return model, pruner, clock() - started

    pruned, pruner, _ = build()
    taken = statistics.median(build()[2] for _ in range(effort.repeats))
    started = clock()
    pruner.step()
    step = clock() - started
    settle(name, pruned)
    whole, _ = make(name)
    torch.set_grad_enabled(False)
    pruned(image)  # it must still run
    found = {
        "torch_build_s": taken,
        "torch_step_s": step,
        "params_torch": [count(whole), count(pruned)],
    }
    if effort.seconds:
        calls = {"whole": lambda: whole(image), "pruned": lambda: pruned(image)}
        apart = alternate(calls, effort.seconds)
        found["speedup_torch"] = apart["whole"] / apart["pruned"]
    return found
