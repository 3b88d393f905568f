"""What an architecture's JSON is likely to say: Deflate's preset dictionary for it.

Part of the format: version 1 keeps these bytes for ever, and a test holds their checksum. What
comes most often stands last, where it is cheapest to refer to.
"""

_POLICY = (
    '"dtype":{"module":"keras","class_name":"DTypePolicy","config":{"name":"float32"},'
    '"registered_name":null}'
)
_GLOROT = (
    '{"module":"keras.initializers","class_name":"GlorotUniform","config":{"seed":null,'
    '"input_axes":null,"output_axes":null},"registered_name":null}'
)
_OTHERS = "".join(
    f'{{"module":"keras.initializers","class_name":"{kind}","config":{{{config}}},'
    '"registered_name":null},'
    for kind, config in (
        ("Constant", '"value":0.0'),
        ("RandomUniform", '"seed":null,"minval":-0.05,"maxval":0.05'),
        ("TruncatedNormal", '"seed":null,"mean":0.0,"stddev":0.02'),
        ("Orthogonal", '"seed":null,"gain":1.0'),
        ("GlorotNormal", '"seed":null,"input_axes":null,"output_axes":null'),
        ("HeUniform", '"seed":null,"input_axes":null,"output_axes":null'),
        ("HeNormal", '"seed":null,"input_axes":null,"output_axes":null'),
    )
)
_ONES, _ZEROS = (
    '{"module":"keras.initializers","class_name":"' + kind + '","config":{},"registered_name":null}'
    for kind in ("Ones", "Zeros")
)
_LAST = '"data_format":"channels_last"'
_WINDOW = '"strides":[1,1],"padding":"valid",' + _LAST
_BIAS = f'"bias_initializer":{_ZEROS}'


def _nulls(*keys: str) -> str:
    return ",".join(f'"{key}":null' for key in keys)


_REGULAR = _nulls(
    "kernel_regularizer",
    "bias_regularizer",
    "activity_regularizer",
    "kernel_constraint",
    "bias_constraint",
)
_NORM = (
    f'"epsilon":0.001,"center":true,"scale":true,"beta_initializer":{_ZEROS},'
    f'"gamma_initializer":{_ONES},"moving_mean_initializer":{_ZEROS},'
    f'"moving_variance_initializer":{_ONES},'
    + _nulls("beta_regularizer", "gamma_regularizer", "beta_constraint", "gamma_constraint")
    + ',"synchronized":false,"renorm":false,"renorm_clipping":null,"renorm_momentum":0.99'
)
_DEPTH = _nulls(
    "depthwise_regularizer",
    "pointwise_regularizer",
    "bias_regularizer",
    "activity_regularizer",
    "depthwise_constraint",
    "pointwise_constraint",
    "bias_constraint",
)


def _layer(kind: str, name: str, config: str) -> str:
    rest = f",{config}" if config else ""
    return (
        f'{{"module":"keras.layers","class_name":"{kind}","config":{{"name":"{name}",'
        f'"trainable":true,{_POLICY}{rest}}},"registered_name":null'
    )


def _convolution(kind: str, name: str, first: str, last: str) -> str:
    return _layer(
        kind,
        name,
        f'{first}"kernel_size":[3,3],{_WINDOW},"dilation_rate":[1,1],"groups":1,'
        f'"activation":"linear","use_bias":true,{last}',
    )


def _call(shape: str, before: str, more: str = "") -> str:
    return (
        f'"inbound_nodes":[{{"args":[{{"class_name":"__keras_tensor__","config":{{"shape":[{shape}],'
        f'"dtype":"float32","keras_history":["{before}",0,0]}}}}],"kwargs":{{{more}}}}}]}},'
    )


_SHORT = {
    "SpatialDropout2D": '"rate":0.2,"seed":null,' + _LAST,
    "UpSampling2D": '"size":[2,2],' + _LAST + ',"interpolation":"nearest"',
    "Softmax": '"axis":-1',
    "LeakyReLU": '"negative_slope":0.3',
    "Multiply": "",
    "Reshape": '"target_shape":[1,1,64]',
    "ZeroPadding2D": '"padding":[[0,1],[0,1]],' + _LAST,
    "Normalization": '"axis":[-1],"invert":false,"mean":null,"variance":null',
    "Rescaling": '"scale":0.00392156862745098,"offset":0.0',
    "GlobalMaxPooling2D": _LAST + ',"keepdims":false',
    "AveragePooling2D": '"pool_size":[2,2],"padding":"valid","strides":[2,2],' + _LAST,
    "Concatenate": '"axis":-1',
    "Activation": '"activation":"softmax"',
    "Dropout": '"rate":0.5,"seed":null,"noise_shape":null',
    "Flatten": _LAST,
    "GlobalAveragePooling2D": _LAST + ',"keepdims":false',
    "MaxPooling2D": '"pool_size":[2,2],"padding":"valid","strides":[2,2],' + _LAST,
    "Add": "",
    "ReLU": '"max_value":null,"negative_slope":0.0,"threshold":0.0',
}
_NAMES = {"ReLU": "re_lu", "LeakyReLU": "leaky_re_lu"}


def _name(kind: str) -> str:
    """As Keras names layers: Pooling2D is pooling2d."""
    words = "".join(f"_{letter}" if letter.isupper() else letter for letter in kind).lower()
    return _NAMES.get(kind, words.strip("_").replace("2_d", "2d"))


_PARTS = (
    '"kernel_regularizer":{"module":"keras.regularizers","class_name":"L2","config":{"l2":0.0001},'
    '"registered_name":null},"padding":"same","strides":[2,2],"use_bias":false,"groups":32,'
    '"activation":"sigmoid","activation":"tanh","activation":"silu","activation":"gelu","float16"'
    '"bfloat16""mixed_bfloat16""float64""int32""uint8""bool","axis":3,"momentum":0.9,'
    '"epsilon":1.001e-05,"epsilon":1e-05,"trainable":false,"seed":0,"name":"predictions"',
    _OTHERS,
    _convolution("SeparableConv2D", "separable_conv2d", '"filters":64,', '"depth_multiplier":1,')
    + f'"depthwise_initializer":{_GLOROT},"pointwise_initializer":{_GLOROT},{_BIAS},{_DEPTH}}}',
    _convolution("DepthwiseConv2D", "depthwise_conv2d", "", '"depth_multiplier":1,'),
    f'{_BIAS},"depthwise_initializer":{_GLOROT},{_DEPTH}}}',
    *(
        _layer(kind, _name(kind), config)
        + f',"name":"{_name(kind)}",'
        + _call("null,8,8,32", "batch_normalization", '"training":false' * (kind == "Dropout"))
        for kind, config in _SHORT.items()
    ),
    _layer("BatchNormalization", "batch_normalization", f'"axis":-1,"momentum":0.99,{_NORM}'),
    ',"name":"batch_normalization",' + _call("null,14,14,64", "conv2d", '"mask":null'),
    '{"module":"keras.src.models.functional","class_name":"Functional","config":{"name":'
    '"functional","trainable":true,"layers":[',
    '{"module":"keras","class_name":"Sequential","config":{"name":"sequential","trainable":true,'
    + _POLICY
    + ',"layers":[',
    '{"module":"keras.layers","class_name":"InputLayer","config":{"batch_shape":[null,32,32,3],'
    '"dtype":"float32","sparse":false,"ragged":false,"name":"input_layer","optional":false},'
    '"registered_name":null},"name":"input_layer","inbound_nodes":[]},',
    _layer(
        "Conv2D",
        "conv2d",
        f'"filters":32,"kernel_size":[5,5],{_WINDOW},"dilation_rate":[1,1],"groups":1,'
        f'"activation":"relu","use_bias":true,"kernel_initializer":{_GLOROT},{_BIAS},{_REGULAR}}}',
    ),
    ',"name":"conv2d_1",' + _call("null,28,28,32", "max_pooling2d"),
    _layer("Dense", "dense", '"units":10,"activation":"softmax","use_bias":true,'),
    f'"kernel_initializer":{_GLOROT},{_BIAS},'
    + _nulls("kernel_regularizer", "bias_regularizer", "kernel_constraint", "bias_constraint")
    + ',"quantization_config":null},"registered_name":null},',
    _layer("Dense", "dense_1", '"units":128,"activation":"relu","use_bias":true,'),
    ',"name":"dense_1",' + _call("null,256", "dense"),
    ']},"registered_name":null}],"input_layers":[["input_layer",0,0]],'
    '"output_layers":[["dense_2",0,0]]}}],"build_input_shape":[null,28,28,1]}}',
)
DICTIONARY = "".join(_PARTS).encode()
