"""The oracle of a shipped file is Keras's own prediction, with the temperature applied by hand."""

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers, ops

from slimderm.components.common.errors import ExportError, ParameterError
from slimderm.components.export.artefact import export
from slimderm.components.export.judge import judge
from slimderm.components.export.person import plain_inputs
from slimderm.components.export.shipped import shipped
from slimderm.components.export.table import TARGETS, installed

APART = {
    "litert-float32": 1e-5, "litert-float16": 5e-3, "litert-int8": 0.05,
    "litert-static-int8": 0.05, "onnx-float32": 1e-5, "onnx-static-int8": 0.05,
}  # fmt: skip
IMAGE = (12, 10, 3)


def by_hand(probabilities, temperature):
    """p^(1/T), made to sum to 1."""
    powers = probabilities.astype(np.float64) ** (1 / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


def run(artefact, inputs):
    """Run a file in this process, image by image."""
    runner = Interpreter(model_content=artefact).get_signature_runner()
    rows = range(len(inputs["image"]))
    answers = [runner(**{k: v[i : i + 1] for k, v in inputs.items()}) for i in rows]
    return np.concatenate([answer["probabilities"] for answer in answers])


def run_onnx(artefact, inputs):
    session = onnxruntime.InferenceSession(artefact)
    rows = range(len(inputs["image"]))
    return np.concatenate(
        [session.run(None, {k: v[i : i + 1] for k, v in inputs.items()})[0] for i in rows]
    )


@pytest.fixture(scope="module")
def artefacts(network, inputs):
    given = {"temperature": 2.5, "calibration": inputs}
    return {target: export(network, target, **given) for target in APART}


@pytest.mark.parametrize("target", APART)
def test_a_fresh_process_finds_keras_probabilities_calibrated(network, artefacts, inputs, target):
    found = judge(artefacts[target], inputs, TARGETS[target].runtime).probabilities
    wanted = by_hand(network.predict(inputs, verbose=0), 2.5)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=APART[target])
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=0, atol=1e-5)
    assert np.ptp(wanted, axis=0).max() > 0.1  # else any file would agree


@pytest.mark.parametrize("temperature", [1, 1.0, 0.05, 40])
def test_a_temperature_scales_logits_and_one_changes_nothing(network, inputs, temperature):
    model = shipped(network, temperature=temperature)
    single = [{name: each[i : i + 1] for name, each in inputs.items()} for i in range(8)]
    found = np.concatenate([np.asarray(model(row)["probabilities"]) for row in single])
    wanted = by_hand(network.predict(inputs, verbose=0), temperature)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    ("target", "answer"),
    [("litert-float32", run), ("litert-int8", run), ("onnx-float32", run_onnx)],
)
def test_a_person_goes_in_plainly_and_comes_out_as_the_encoder_encodes(
    network, inputs, encoder, people, target, answer
):
    artefact = export(network, target, encoder=encoder.to_dict())
    sexes, sites = [2, 1, 0, 1, 0, 2, 2, 1], [1, 2, 0, 3, 1, 0, 2, 0]  # places in the lists
    ages = [45, 0, 50, 85, 50, 51.25, 50, 12.5]  # unknown is the median
    given = {"image": inputs["image"]} | {
        name: np.array(values, np.float32).reshape(8, 1)
        for name, values in {"age": ages, "sex": sexes, "localization": sites}.items()
    }
    ours = plain_inputs(people, encoder.to_dict())
    assert {name: array.tolist() for name, array in ours.items()} == {
        name: given[name].tolist() for name in ("age", "sex", "localization")
    }
    metadata = encoder.transform(people)
    wanted = network.predict({"image": inputs["image"], "metadata": metadata}, verbose=0)
    np.testing.assert_allclose(answer(artefact, given), wanted, rtol=0, atol=APART[target])
    other = network.predict({"image": inputs["image"], "metadata": metadata[::-1]}, verbose=0)
    assert np.abs(other - wanted).max() > APART[target]  # else metadata would not matter
    if answer is not run:
        return
    details = Interpreter(model_content=artefact).get_signature_runner().get_input_details()
    found = {name: (tuple(each["shape"]), each["dtype"]) for name, each in details.items()}
    person = dict.fromkeys(["age", "sex", "localization"], ((1, 1), np.float32))
    assert found == {"image": ((1, *IMAGE), np.float32)} | person


def test_an_encoder_of_one_word_divides_by_one(network, inputs, encoder):
    alone = encoder.to_dict() | {"sexes": ["unknown"], "localizations": ("unknown",)}
    model = shipped(network, encoder=alone)
    person = {name: np.float32([[value]]) for name, value in (("sex", 0), ("localization", 0))}
    found = model({"image": inputs["image"][:1], "age": np.float32([[51.25]])} | person)
    given = {"image": inputs["image"][:1], "metadata": np.zeros((1, 3), np.float32)}
    wanted = network.predict(given, verbose=0)
    np.testing.assert_allclose(np.asarray(found["probabilities"]), wanted, atol=1e-5)


def test_an_encoder_beside_a_network_that_it_does_not_fit_is_refused(make, encoder):
    said = r"encoder: received one beside small, whose inputs are image \(12, 10, 3\), expected"
    with pytest.raises(ParameterError, match=said):
        export(make(metadata=False), "litert-int8", encoder=encoder.to_dict())


def test_weights_take_half_and_a_quarter_of_the_bytes(network, artefacts):
    forms = ("float32", "float16", "int8", "static-int8")
    whole, half, quarter, static = (len(artefacts[f"litert-{form}"]) for form in forms)
    weights = sum(each.nbytes for each in network.get_weights())
    assert weights < whole < weights + 8000
    assert whole / 2 - 4000 < half < whole / 2 + 4000
    assert whole / 4 - 4000 < quarter < whole / 4 + 6000
    assert whole / 4 - 4000 < static < whole / 4 + 8000
    assert weights < len(artefacts["onnx-float32"]) < weights + 8000
    assert whole / 4 - 4000 < len(artefacts["onnx-static-int8"]) < whole / 4 + 16000


def test_static_files_compute_convolutions_in_whole_numbers(artefacts):
    interpreter = Interpreter(model_content=artefacts["litert-static-int8"])
    convolutions = [op for op in interpreter._get_ops_details() if op["op_name"] == "CONV_2D"]
    tensors = {each["index"]: each["dtype"] for each in interpreter.get_tensor_details()}
    assert {tensors[index] for op in convolutions for index in op["outputs"]} == {np.int8}
    graph = onnx.load_from_string(artefacts["onnx-static-int8"]).graph
    stored = {each.name: each.data_type for each in graph.initializer}
    int8 = onnx.TensorProto.INT8
    assert sum(kind == int8 and "quantized" in name for name, kind in stored.items()) >= 3
    made_by = {name: node.op_type for node in graph.node for name in node.output}
    (convolution,) = [node for node in graph.node if node.op_type == "Conv"]
    assert [made_by[name] for name in convolution.input[:2]] == ["DequantizeLinear"] * 2


def test_ranges_are_the_smallest_and_largest_of_all_calibration_images(network, inputs):
    """One bright image among dark ones must not be clipped, whenever it comes."""
    dark = inputs | {"image": inputs["image"] * np.float32(0.1)}
    mixed = {name: np.concatenate([dark[name]] * 8 + [inputs[name]]) for name in inputs}
    wanted = network.predict(inputs, verbose=0)
    for target in ("litert-static-int8", "onnx-static-int8"):
        answer = run if target.startswith("litert") else run_onnx
        clipped, whole = (
            np.abs(answer(export(network, target, calibration=given), inputs) - wanted).max()
            for given in (dark, mixed)
        )
        assert whole < 0.05 < clipped


def test_channels_that_are_always_dark_still_make_a_file_that_runs(make, inputs):
    """A ReLU whose every answer is 0 has no range to measure."""
    model = make()
    (convolution,) = [layer for layer in model.layers if layer.name.startswith("conv2d")]
    kernel, bias = convolution.get_weights()
    convolution.set_weights([kernel, bias - 1e6])
    wanted = model.predict(inputs, verbose=0)
    for target in ("litert-static-int8", "onnx-static-int8"):
        artefact = export(model, target, calibration=inputs)
        found = judge(artefact, inputs, TARGETS[target].runtime).probabilities
        np.testing.assert_allclose(found, wanted, rtol=0, atol=0.05)


@pytest.mark.parametrize("calibration", [None, {"image": np.zeros((0, *IMAGE), np.float32)}])
def test_static_files_need_calibration_images(network, calibration):
    with pytest.raises(ParameterError, match="calibration: received none for onnx-static-int8, ex"):
        export(network, "onnx-static-int8", calibration=calibration)


def test_a_runtime_that_is_not_installed_is_refused_with_how_to_install_it(network):
    absent = not TARGETS["openvino-float32"].runtime.is_installed
    assert ("openvino-float32" in installed()) != absent
    if absent:
        with pytest.raises(ParameterError, match=r"openvino, which is not installed here, .*`pip "):
            export(network, "openvino-float32")


def test_inputs_and_output_go_by_name_as_float32_one_at_a_time(artefacts):
    runner = Interpreter(model_content=artefacts["litert-int8"]).get_signature_runner()
    found = {
        name: (tuple(each["shape"]), each["dtype"])
        for name, each in (runner.get_input_details() | runner.get_output_details()).items()
    }
    assert found == {
        "image": ((1, *IMAGE), np.float32),
        "metadata": ((1, 3), np.float32),
        "probabilities": ((1, 4), np.float32),
    }


def _of_list(make):
    inner = make()
    inputs = [keras.Input(IMAGE, name="image"), keras.Input((3,), name="metadata")]
    return keras.Model(inputs, inner(dict(zip(("image", "metadata"), inputs, strict=True))))


def _sequential(make):
    head = layers.Dense(4, name="logits")
    return keras.Sequential(
        [keras.Input(IMAGE, name="image"), layers.Flatten(), head, layers.Softmax()]
    )


@pytest.mark.parametrize(
    ("form", "arranged"),
    [
        (lambda make: make(metadata=False), lambda given: {"image": given["image"]}),
        (_of_list, lambda given: [given["image"], given["metadata"]]),
        (_sequential, lambda given: given["image"]),
    ],
    ids=["image alone", "a list, nested", "sequential"],
)
def test_models_of_other_forms_are_shipped_alike(make, inputs, form, arranged):
    model = form(make)
    given = {each.name: inputs[each.name] for each in model.inputs}
    wanted = model.predict(arranged(inputs), verbose=0)
    np.testing.assert_allclose(run(export(model, "litert-float32"), given), wanted, atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_is_shipped_as_float32_with_the_same_weights(make, inputs, policy):
    plain, mixed = make(), make(dtype=policy)
    mixed.set_weights(plain.get_weights())
    found = run(export(mixed, "litert-float32"), inputs)
    np.testing.assert_allclose(found, plain.predict(inputs, verbose=0), rtol=0, atol=1e-5)
    assert mixed.layers[2].compute_dtype != "float32"  # the model itself is as it was


def test_the_model_that_is_exported_stays_as_it_was(make, inputs):
    model = make()
    before = model.predict(inputs, verbose=0)
    export(model, "litert-int8", temperature=3.0)
    np.testing.assert_array_equal(model.predict(inputs, verbose=0), before)
    assert model.input["image"].shape == (None, *IMAGE)


@pytest.mark.parametrize("wrong", [0, -1.0, float("nan"), float("inf"), True, "2", None])
def test_a_temperature_that_is_no_number_above_zero_is_refused(network, wrong):
    with pytest.raises(ParameterError, match=r"temperature: received .*, expected a number above"):
        export(network, "litert-int8", temperature=wrong)


def test_an_unknown_target_is_refused_with_those_that_are_known(network):
    with pytest.raises(ParameterError, match="received 'onnx', expected one of litert-float32, "):
        export(network, "onnx")


def _classifier(image, activation="softmax", name=None):
    head = layers.Dense(2, activation, name=name)
    return head(layers.GlobalAveragePooling2D()(image))


def _no_names():
    image = keras.Input(IMAGE, name="picture")
    return keras.Model(image, _classifier(image), name="m")


def _undefined():
    image = keras.Input((None, None, 3), name="image")
    return keras.Model(image, _classifier(image), name="m")


def _logits():
    image = keras.Input(IMAGE, name="image")
    return keras.Model(image, _classifier(image, "sigmoid"), name="m")


def _two_heads():
    image = keras.Input(IMAGE, name="image")
    return keras.Model(image, [_classifier(image), _classifier(image)], name="m")


def _a_map():
    image = keras.Input(IMAGE, name="image")
    return keras.Model(image, layers.Conv2D(2, 1, activation="softmax")(image), name="m")


class Subclassed(keras.Model):
    def call(self, inputs):
        return inputs


@pytest.mark.parametrize(
    ("make_model", "said"),
    [
        (_no_names, "m: received inputs called picture, expected image or image and metadata"),
        (_undefined, r"m: received the input image of the undefined size \(None, None, 3\)"),
        (_logits, r"m: received outputs of shape \(None, 2\) by sigmoid, expected one of shape"),
        (_two_heads, r"received outputs of shape \(None, 2\), \(None, 2\) by softmax, expected"),
        (_a_map, r"received outputs of shape \(None, 12, 10, 2\) by softmax, expected"),
        (Subclassed, "a subclassed Subclassed, expected a functional"),
        (lambda: "model.keras", "received str, expected a keras.Model"),
    ],
)
def test_what_is_no_classifier_with_named_inputs_is_refused(make_model, said):
    with pytest.raises(ParameterError, match=said):
        export(make_model(), "litert-int8")


def test_a_model_that_the_converter_refuses_is_an_error_with_its_words():
    image = keras.Input(IMAGE, name="image")
    model = keras.Model(image, _classifier(ops.erfinv(image / 300)), name="odd")
    with pytest.raises(ExportError, match="odd: LiteRT's converter refuses") as caught:
        export(model, "litert-int8")
    assert "'tf.Erfinv' op is neither a custom op nor a flex op" in str(caught.value)
    assert "\n" not in str(caught.value)


class Shifted(layers.Layer):
    """Adds a tensor that is no weight."""

    def build(self, shape):
        self.shift = keras.ops.ones((1, 1, 1, shape[-1]))

    def call(self, inputs):
        return inputs + self.shift


def test_constants_that_would_become_inputs_of_an_onnx_file_are_refused_by_their_names():
    image = keras.Input((12, 10, 3), name="image")
    answer = layers.Dense(2, "softmax")(layers.Flatten()(Shifted(name="told")(image)))
    with pytest.raises(ExportError, match=r"makes inputs of constants \(.*told_1/.*\)"):
        export(keras.Model(image, answer), "onnx-float32")


def test_operations_that_onnx_lacks_are_named():
    image = keras.Input((12, 10, 3), name="image")
    answer = layers.Dense(2, "softmax")(layers.Flatten()(keras.ops.erfinv(image)))
    with pytest.raises(ExportError, match=r"leaves operations that ONNX lacks \(Erfinv\)"):
        export(keras.Model(image, answer), "onnx-float32")


def test_onnx_takes_what_its_converter_leaves_undone():
    """GELU asks for erfc, groups are compiled, and a Normalization layer holds tensors."""
    keras.utils.set_random_seed(0)
    image = keras.Input((12, 10, 3), name="image")
    normal = layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 5.0, 6.0])
    x = layers.Conv2D(4, 3, activation="gelu")(normal(image))
    x = layers.Conv2D(8, 3, groups=2)(x)
    x = layers.Dense(8, activation="gelu")(layers.Flatten()(x))
    model = keras.Model(image, layers.Dense(2, "softmax")(x))
    held = normal.mean
    images = np.random.default_rng(0).random((8, 12, 10, 3), np.float32) * 9
    found = run_onnx(export(model, "onnx-float32"), {"image": images})
    np.testing.assert_allclose(found, model.predict(images, verbose=0), rtol=0, atol=1e-6)
    assert normal.mean is held


def test_another_backend_is_refused(network, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ParameterError, match="KERAS_BACKEND: received jax, expected tensorflow"):
        export(network, "litert-int8")
