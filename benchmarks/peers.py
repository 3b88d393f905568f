"""Models of other packages, pruned at ratio 0.5 with the proof: kimm and keras-hub.

::

    pip install --no-deps --target FOLDER kimm==0.2.5 keras-hub==0.32.0
    pip install --no-deps --target FOLDER kagglehub kagglesdk tokenizers sentencepiece
    PYTHONPATH=FOLDER python benchmarks/peers.py [NAME ...]

A package that is not installed is left out, with a message. NAME picks models whose name has it. No
weights are loaded: they are drawn, statistics of normalisation as well. The result is a table in
Markdown: parameters before and after, the largest difference of an output (relative to the outputs'
standard deviation) from what the surgery promises, and what kept channels or was refused. About
ten minutes on two slow cores.
"""

import gc
import importlib
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import keras

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slimderm import ParameterError, prune, verify
from slimderm.components.pruning.proof import randomise

KIMM = (
    "ConvMixer736D32", "ConvNeXtAtto", "DenseNet121", "EfficientNetLiteB0", "GhostNetW050",
    "GhostNetV2W100", "HGNetTiny", "HGNetV2B0", "InceptionNeXtTiny", "InceptionV3", "LCNet050",
    "MobileNetV2W050", "MobileNetV3W050Small", "MobileOneS0", "MobileViTS", "MobileViTV2W050",
    "RegNetX002", "RegNetY002", "RepVGGA0", "ResNet18", "VisionTransformerTiny16", "Xception",
)  # fmt: skip
IMAGE = {"image_shape": (64, 64, 3)}
TEXT = {"vocabulary_size": 100, "num_layers": 2, "num_heads": 4, "hidden_dim": 32}
GROUPED = {
    "vocabulary_size": 100,
    "num_layers": 2,
    "num_query_heads": 4,
    "num_key_value_heads": 2,
    "hidden_dim": 32,
    "intermediate_dim": 64,
}
VISION = {
    "patch_size": 16,
    "num_layers": 2,
    "num_heads": 4,
    "hidden_dim": 32,
    "intermediate_dim": 64,
}
HUB: dict[str, dict[str, Any]] = {
    "ResNetBackbone": {
        "input_conv_filters": [64], "input_conv_kernel_sizes": [7],
        "stackwise_num_filters": [64, 128], "stackwise_num_blocks": [1, 2],
        "stackwise_num_strides": [1, 2], "block_type": "basic_block", **IMAGE,
    },
    "VGGBackbone": {
        "stackwise_num_repeats": [1, 1, 2], "stackwise_num_filters": [16, 32, 32], **IMAGE,
    },
    "DenseNetBackbone": {"stackwise_num_repeats": [2, 2, 2], "growth_rate": 8, **IMAGE},
    "EfficientNetBackbone": {
        "stackwise_kernel_sizes": [3, 3], "stackwise_num_repeats": [1, 2],
        "stackwise_input_filters": [16, 16], "stackwise_output_filters": [16, 24],
        "stackwise_expansion_ratios": [1, 4],
        "stackwise_squeeze_and_excite_ratios": [0.25, 0.25], "stackwise_strides": [1, 2],
        "stackwise_block_types": ["v1", "v1"], "width_coefficient": 1.0,
        "depth_coefficient": 1.0, "stackwise_force_input_filters": [0, 0],
        "stackwise_nores_option": [False, False], **IMAGE,
    },
    "XceptionBackbone": {
        "stackwise_conv_filters": [[16, 16], [32, 32]], "stackwise_pooling": [True, False],
        **IMAGE,
    },
    "ViTBackbone": {
        "patch_size": (16, 16), "num_layers": 2, "num_heads": 4, "hidden_dim": 32, "mlp_dim": 64,
        **IMAGE,
    },
    "SwinTransformerBackbone": {
        "patch_size": 4, "embed_dim": 24, "depths": [2, 2], "num_heads": [2, 4],
        "window_size": 4, **IMAGE,
    },
    "AlbertBackbone": {
        **TEXT, "embedding_dim": 16, "intermediate_dim": 64, "max_sequence_length": 16,
    },
    "MistralBackbone": {**GROUPED, "sliding_window": 5},
    **{
        f"{name}Backbone": {**TEXT, "intermediate_dim": 64, "max_sequence_length": 16}
        for name in ("Bert", "DistilBert", "Roberta", "XLMRoberta", "GPT2", "OPT", "Bart")
    },
    **{f"{name}Backbone": GROUPED for name in ("Llama", "Llama3", "Qwen", "Phi3")},
    "Qwen3Backbone": {**GROUPED, "head_dim": 8},
    "GemmaBackbone": {**GROUPED, "head_dim": 8},
    "GemmaBackbone as Gemma 2": {
        **GROUPED, "head_dim": 8, "attention_logit_soft_cap": 50.0, "use_post_ffw_norm": True,
        "use_post_attention_norm": True, "use_sliding_window_attention": True,
        "sliding_window_size": 5,
    },
    "Gemma3Backbone": {
        **GROUPED, "head_dim": 8, "image_size": 32, "use_sliding_window_attention": True,
        "sliding_window_size": 5,
    },
    "FalconBackbone": {
        "vocabulary_size": 100, "num_layers": 2, "num_attention_heads": 4, "hidden_dim": 32,
        "intermediate_dim": 64,
    },
    "T5Backbone": {**TEXT, "intermediate_dim": 64},
    "BloomBackbone": {**TEXT, "intermediate_dim": 64},
    "GPTNeoXBackbone": {**TEXT, "intermediate_dim": 64, "max_sequence_length": 16},
    "ElectraBackbone": {
        "vocab_size": 100, "num_layers": 2, "num_heads": 4, "hidden_dim": 32, "embedding_dim": 16,
        "intermediate_dim": 64, "max_sequence_length": 16,
    },
    "WhisperBackbone": {
        **TEXT, "intermediate_dim": 64, "max_encoder_sequence_length": 32,
        "max_decoder_sequence_length": 16,
    },
    "CLIPVisionEncoder": {**VISION, **IMAGE},
    "CLIPTextEncoder": {
        **TEXT, "embedding_dim": 32, "intermediate_dim": 64, "max_sequence_length": 16,
    },
    "SigLIPVisionEncoder": {**VISION, **IMAGE},
    "SigLIPTextEncoder": {
        **TEXT, "embedding_dim": 32, "intermediate_dim": 64, "max_sequence_length": 16,
        "projection_dim": 32,
    },
    "DeiTBackbone": {**VISION, **IMAGE},
    "MiTBackbone": {
        "layerwise_depths": [1, 1], "num_layers": 2, "layerwise_num_heads": [1, 2],
        "layerwise_sr_ratios": [2, 1], "max_drop_path_rate": 0.1, "layerwise_patch_sizes": [7, 3],
        "layerwise_strides": [4, 2], "hidden_dims": [16, 32], **IMAGE,
    },
}  # fmt: skip


def models() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield names and makers of the models of each package that is installed."""
    for package, names in (("kimm", KIMM), ("keras_hub", HUB)):
        try:
            made = importlib.import_module(package).models
        except ImportError as error:
            print(f"{package} is left out: {error}", file=sys.stderr)
            continue
        for name in names:
            more = HUB.get(name) or {
                "weights": None, "input_shape": [96, 96, 3], "include_preprocessing": False,
                "classes": 10, "classifier_activation": "linear",
            }  # fmt: skip
            yield f"{package} {name}", partial(getattr(made, name.split()[0]), **more)


def row(make: Callable[[], Any]) -> str:
    """Prune a model, and say what came of it."""
    model = make()
    try:
        randomise(model, seed=0)
        pruned = prune(model, ratio=0.5)
    except ParameterError as error:
        return f"{model.count_params():,} | refused | | {str(error).splitlines()[0][:160]}"
    before, after = pruned.report.parameters
    reasons = sorted({barrier.reason for barrier in pruned.report.barriers})
    share, found = f"{after / before:.1%}", f"{verify(model, pruned):.1e}"
    return f"{before:,} | {share} | {found} | {'; '.join(reasons)}"


if __name__ == "__main__":
    print("| model | parameters | left | deviation | what stays |")
    print("| --- | ---: | ---: | ---: | --- |")
    for name, make in models():
        if len(sys.argv) == 1 or any(part in name for part in sys.argv[1:]):
            print(f"| {name} | {row(make)} |", flush=True)
            keras.backend.clear_session()
            gc.collect()
