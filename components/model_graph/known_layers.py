"""Layers of libraries that are known: by module and name, so that none need be imported."""

from functools import partial

from slimderm.components.model_graph.channel_labels import Rule
from slimderm.components.model_graph.composite import Composite
from slimderm.components.model_graph.decoders import any_length, without_cache
from slimderm.components.model_graph.kinds import KINDS, along_last, channelwise
from slimderm.components.model_graph.rules_attention import attention, rotary
from slimderm.components.model_graph.rules_values import last_normalized
from slimderm.components.model_graph.rules_weights import reversible_embedding

COMPOSITE = Composite()
CAUSAL = Composite({"_compute_self_attention_mask": any_length})
CACHED = Composite(
    {
        "_compute_self_attention_mask": any_length,
        "_self_attention_layer": without_cache,
        "_cross_attention_layer": without_cache,
    }
)
HUB = "keras_hub.src."
KNOWN: dict[str, Rule] = {
    "keras.src.applications.convnext.StochasticDepth": KINDS["elementwise"],
    "keras.src.applications.convnext.LayerScale": partial(channelwise, sizes=("projection_dim",)),
    "keras.src.applications.inception_resnet_v2.CustomScaleLayer": KINDS["merging"],
    "kimm._src.layers.attention.Attention": COMPOSITE,
    "kimm._src.layers.layer_scale.LayerScale": along_last,
    "kimm._src.layers.learnable_affine.LearnableAffine": KINDS["elementwise"],
    "kimm._src.layers.position_embedding.PositionEmbedding": COMPOSITE,
    "kimm._src.layers.reparameterizable_conv2d.ReparameterizableConv2D": COMPOSITE,
    f"{HUB}layers.modeling.cached_multi_head_attention.CachedMultiHeadAttention": attention,
    f"{HUB}layers.modeling.position_embedding.PositionEmbedding": partial(
        channelwise, axis_of_weights=-1
    ),
    f"{HUB}layers.modeling.reversible_embedding.ReversibleEmbedding": reversible_embedding,
    f"{HUB}layers.modeling.token_and_position_embedding.TokenAndPositionEmbedding": COMPOSITE,
    f"{HUB}layers.modeling.transformer_decoder.TransformerDecoder": CACHED,
    f"{HUB}layers.modeling.transformer_encoder.TransformerEncoder": COMPOSITE,
    f"{HUB}layers.modeling.rotary_embedding.RotaryEmbedding": rotary,
    f"{HUB}models.mistral.mistral_attention.CachedMistralAttention": COMPOSITE,
    f"{HUB}models.mistral.mistral_layer_norm.MistralLayerNormalization": last_normalized,
    f"{HUB}models.mistral.mistral_transformer_decoder.MistralTransformerDecoder": CAUSAL,
    **dict.fromkeys(
        (
            f"{HUB}models.vit.vit_layers.{name}"
            for name in ("MLP", "ViTPatchingAndEmbedding", "ViTEncoderBlock", "ViTEncoder")
        ),
        COMPOSITE,
    ),
    **dict.fromkeys(
        (
            f"{HUB}models.swin_transformer.swin_transformer_layers.{name}"
            for name in (
                "Mlp", "PatchEmbedding", "PatchMerging", "SwinTransformerBlock",
                "SwinTransformerStage", "WindowAttention",
            )
        ),
        COMPOSITE,
    ),
    f"{HUB}models.swin_transformer.swin_transformer_layers.DropPath": KINDS["elementwise"],
}  # fmt: skip
