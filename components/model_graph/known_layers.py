"""Layers of libraries that are known: by module and name, so that none need be imported.

A layer of keras-hub is ``composite`` here when its call does the same in training, which nothing
can notice: read it before you add it.
"""

from functools import partial

from slimderm.components.model_graph.channel_labels import Rule
from slimderm.components.model_graph.composite import Composite
from slimderm.components.model_graph.decoders import within_window, without_cache
from slimderm.components.model_graph.kinds import KINDS, along_last, channelwise
from slimderm.components.model_graph.rules_attention import attention, rotary
from slimderm.components.model_graph.rules_weights import reversible_embedding
from slimderm.components.model_graph.standard import Standard, rms_normalization

COMPOSITE = Composite()
WINDOWED = Composite({"_mask_sliding_window": within_window})
CACHED = Composite(
    {"_self_attention_layer": without_cache, "_cross_attention_layer": without_cache}
)
RMS = Standard(rms_normalization)
RMS_AROUND_ONE = Standard(partial(rms_normalization, offset=1))
HUB = "keras_hub.src."
MODELING: dict[str, Rule] = {
    "cached_multi_head_attention.CachedMultiHeadAttention": attention,
    "position_embedding.PositionEmbedding": partial(channelwise, axis_of_weights=-1),
    "reversible_embedding.ReversibleEmbedding": reversible_embedding,
    "rotary_embedding.RotaryEmbedding": rotary,
    "token_and_position_embedding.TokenAndPositionEmbedding": COMPOSITE,
    "transformer_decoder.TransformerDecoder": CACHED,
    "transformer_encoder.TransformerEncoder": COMPOSITE,
}
# By the models that they are of: file.Class.
MODELS: dict[str, dict[str, Rule]] = {
    "bloom": {"bloom_attention.BloomAttention": COMPOSITE, "bloom_decoder.BloomDecoder": COMPOSITE},
    "clip": {
        "clip_layers.CLIPEncoderLayer": COMPOSITE,
        "clip_layers.CLIPVisionEmbedding": COMPOSITE,
        "clip_layers.CLIPVisionPooler": COMPOSITE,
    },
    "deit": dict.fromkeys(
        (
            f"deit_layers.DeiT{name}"
            for name in ("Embeddings", "Encoder", "EncoderBlock", "Intermediate", "Output")
        ),
        COMPOSITE,
    ),
    "falcon": {
        "falcon_attention.FalconAttention": COMPOSITE,
        "falcon_transformer_decoder.FalconTransformerDecoder": COMPOSITE,
    },
    "gemma": {
        "gemma_attention.CachedGemmaAttention": WINDOWED,
        "gemma_decoder_block.GemmaDecoderBlock": COMPOSITE,
        "rms_normalization.RMSNormalization": RMS_AROUND_ONE,
    },
    "gemma3": {
        "gemma3_attention.CachedGemma3Attention": WINDOWED,
        "gemma3_decoder_block.Gemma3DecoderBlock": COMPOSITE,
        "gemma3_layers.RMSNormalization": RMS_AROUND_ONE,
    },
    "gpt_neo_x": {
        "gpt_neo_x_attention.GPTNeoXAttention": COMPOSITE,
        "gpt_neo_x_decoder.GPTNeoXDecoder": COMPOSITE,
    },
    "llama": {
        "llama_attention.LlamaAttention": COMPOSITE,
        "llama_decoder.LlamaTransformerDecoder": COMPOSITE,
        "llama_layernorm.LlamaLayerNorm": RMS,
        "llama_rotary_embedding.LlamaRotaryEmbedding": COMPOSITE,
    },
    "mistral": {
        "mistral_attention.CachedMistralAttention": COMPOSITE,
        "mistral_layer_norm.MistralLayerNormalization": RMS,
        "mistral_transformer_decoder.MistralTransformerDecoder": COMPOSITE,
    },
    "mit": {
        "mit_layers.DropPath": KINDS["elementwise"],
        "mit_layers.HierarchicalTransformerEncoder": COMPOSITE,
        "mit_layers.MixFFN": COMPOSITE,
        "mit_layers.OverlappingPatchingAndEmbedding": COMPOSITE,
        "mit_layers.SegFormerMultiheadAttention": COMPOSITE,
    },
    "phi3": {
        "phi3_attention.Phi3Attention": COMPOSITE,
        "phi3_decoder.Phi3Decoder": COMPOSITE,
        "phi3_layernorm.Phi3LayerNorm": RMS,
    },
    "qwen": {
        "qwen_attention.QwenAttention": WINDOWED,
        "qwen_decoder.QwenTransformerDecoder": COMPOSITE,
        "qwen_layernorm.QwenLayerNorm": RMS,
    },
    "qwen3": {
        "qwen3_attention.Qwen3Attention": WINDOWED,
        "qwen3_decoder.Qwen3TransformerDecoder": COMPOSITE,
        "qwen3_layernorm.Qwen3LayerNorm": RMS,
    },
    "siglip": dict.fromkeys(
        (
            f"siglip_layers.SigLIP{name}"
            for name in (
                "EncoderLayer", "MLP", "MultiHeadAttentionPooling", "TextEmbedding",
                "VisionEmbedding",
            )
        ),
        COMPOSITE,
    ),
    "swin_transformer": {
        "swin_transformer_layers.DropPath": KINDS["elementwise"],
        **dict.fromkeys(
            (
                f"swin_transformer_layers.{name}"
                for name in (
                    "Mlp", "PatchEmbedding", "PatchMerging", "SwinTransformerBlock",
                    "SwinTransformerStage", "WindowAttention",
                )
            ),
            COMPOSITE,
        ),
    },
    "t5": {
        "t5_layer_norm.T5LayerNorm": Standard(partial(rms_normalization, scale="weight")),
        "t5_multi_head_attention.T5MultiHeadAttention": COMPOSITE,
        "t5_transformer_layer.T5TransformerLayer": COMPOSITE,
    },
    "vit": dict.fromkeys(
        (
            f"vit_layers.{name}"
            for name in ("MLP", "ViTPatchingAndEmbedding", "ViTEncoderBlock", "ViTEncoder")
        ),
        COMPOSITE,
    ),
    "whisper": {
        "whisper_backbone.Padder": COMPOSITE,
        "whisper_cached_multi_head_attention.WhisperCachedMultiHeadAttention": attention,
        "whisper_decoder.WhisperDecoder": CACHED,
        "whisper_encoder.WhisperEncoder": COMPOSITE,
    },
}  # fmt: skip
KNOWN: dict[str, Rule] = {
    "keras.src.applications.convnext.StochasticDepth": KINDS["elementwise"],
    "keras.src.applications.convnext.LayerScale": partial(channelwise, sizes=("projection_dim",)),
    "keras.src.applications.inception_resnet_v2.CustomScaleLayer": KINDS["merging"],
    "kimm._src.layers.attention.Attention": COMPOSITE,
    "kimm._src.layers.layer_scale.LayerScale": along_last,
    "kimm._src.layers.learnable_affine.LearnableAffine": KINDS["elementwise"],
    "kimm._src.layers.position_embedding.PositionEmbedding": COMPOSITE,
    "kimm._src.layers.reparameterizable_conv2d.ReparameterizableConv2D": COMPOSITE,
    **{f"{HUB}layers.modeling.{name}": rule for name, rule in MODELING.items()},
    **{
        f"{HUB}models.{model}.{name}": rule
        for model, rules in MODELS.items()
        for name, rule in rules.items()
    },
}
