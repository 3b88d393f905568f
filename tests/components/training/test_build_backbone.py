"""Networks of `keras.applications` with our classes, on fresh weights and on published ones."""

import keras
import numpy as np
import pytest

from slimderm.components.common.errors import ParameterError
from slimderm.components.pruning.pruner import prune
from slimderm.components.training.build import NORMALISATION_MOMENTUM
from slimderm.components.training.build_backbone import build_backbone
from slimderm.components.training.networks import BACKBONES

PREPROCESS = {
    "vgg16": keras.applications.vgg16.preprocess_input,
    "densenet169": keras.applications.densenet.preprocess_input,
    "mobilenet": keras.applications.mobilenet.preprocess_input,
    "mobilenet_v2": keras.applications.mobilenet_v2.preprocess_input,
    "xception": keras.applications.xception.preprocess_input,
}
QUICK = ("vgg16", "mobilenet")


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in BACKBONES],
)
def test_weights_from_a_file_see_images_as_keras_would_show_them(name, tmp_path):
    keras.utils.set_random_seed(1)
    make = getattr(keras.applications, BACKBONES[name].application)
    size = (BACKBONES[name].smallest,) * 2
    published = make(include_top=False, weights=None, input_shape=(*size, 3), pooling="avg")
    path = tmp_path / "published_notop.weights.h5"
    published.save_weights(path)
    model = build_backbone(name, num_classes=7, input_shape=size, weights=path)
    images = np.random.default_rng(0).integers(0, 256, (2, *size, 3)).astype("float32")
    features = keras.Model(model.inputs, model.layers[-1].input).predict(images, verbose=0)
    expected = published.predict(PREPROCESS[name](images.copy()), verbose=0)
    np.testing.assert_allclose(features, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_fresh_networks_follow_seed_and_precision():
    first, second, other = (
        build_backbone(
            "vgg16", num_classes=7, input_shape=(32, 32), precision="mixed_bfloat16", seed=seed
        )
        for seed in (1, 1, 2)
    )
    kernels = [model.get_layer("block1_conv1").kernel.numpy() for model in (first, second, other)]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert (kernels[0] != kernels[2]).any()
    assert first.get_layer("block1_conv1").dtype_policy.name == "mixed_bfloat16"
    assert first.layers[-1].dtype_policy.name == "float32"
    assert keras.config.dtype_policy().name == "float32"
    probabilities = first.predict({"image": np.zeros((1, 32, 32, 3), np.uint8)}, verbose=0)
    assert probabilities.sum() == pytest.approx(1)


def test_a_pruned_backbone_has_a_quarter_of_the_parameters():
    model = build_backbone("vgg16", num_classes=7, input_shape=(32, 32))
    pruned = prune(model, ratio=0.5, criterion="uninformed")
    assert pruned.model.count_params() / model.count_params() == pytest.approx(0.25, abs=0.01)
    assert pruned.model.output_shape == (None, 7)


def test_short_trainings_are_judged_with_statistics_of_their_own():
    model = build_backbone("densenet169", num_classes=3, input_shape=(32, 32))
    pruned = prune(model, ratio=0.5).model  # made from the layers' settings, as a file is
    momenta = [layer.momentum for layer in pruned.layers if hasattr(layer, "momentum")]
    assert len(momenta) == 169
    assert set(momenta) == {NORMALISATION_MOMENTUM}


def test_what_cannot_be_built_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="expected one of vgg16, densenet169"):
        build_backbone("vgg19", num_classes=7, input_shape=(32, 32))
    with pytest.raises(ParameterError, match="at least 71"):
        build_backbone("xception", num_classes=7, input_shape=(70, 71))
    with pytest.raises(ParameterError, match="at least 32"):
        build_backbone("vgg16", num_classes=7, input_shape=(16, 64))
    with pytest.raises(ParameterError, match="file that exists"):
        build_backbone("vgg16", num_classes=7, input_shape=(32, 32), weights=tmp_path / "no.h5")
    wrong = tmp_path / "wrong.weights.h5"
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]).save_weights(wrong)
    with pytest.raises(ParameterError, match="expected weights of VGG16"):
        build_backbone("vgg16", num_classes=7, input_shape=(32, 32), weights=wrong)
