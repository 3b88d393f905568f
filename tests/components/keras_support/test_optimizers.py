"""What a training step leaves in memory: nothing, once its model is gone."""

import gc

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from slimderm.components.inspection.grad_cam import WORTH_COMPILING, grad_cam
from slimderm.components.keras_support.optimizers import spare_sum
from slimderm.components.pruning.pruner import prune
from slimderm.components.training.batches import Examples
from slimderm.components.training.fit import fit
from slimderm.components.training.settings import TrainingSettings

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (WORTH_COMPILING, 8, 8, 3), dtype=np.uint8)
LABELS = np.arange(WORTH_COMPILING) % 2


def network():
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3), name="image")
    x = layers.Flatten()(layers.Conv2D(4, 3, activation="relu")(image))
    return keras.Model({"image": image}, layers.Dense(2, activation="softmax")(x))


def trained(model):
    examples = Examples(IMAGES, np.zeros((len(IMAGES), 0), np.float32), LABELS, LABELS.astype(str))
    settings = TrainingSettings(epochs=1, batch_size=4, augment="none", precision="float32")
    fit(model, examples, examples, settings)


def cut_by_taylor(model):
    data = [({"image": IMAGES.astype("float32")}, np.eye(2)[LABELS])]
    prune(model, ratio=0.5, criterion="taylor", data=data, loss="categorical_crossentropy")


def explained(model):
    grad_cam(model, {"image": IMAGES.astype("float32")})


def training_steps():
    keras.backend.clear_session()  # collects garbage, too
    graphs = [found for found in gc.get_objects() if type(found).__name__ == "FuncGraph"]
    return sum(graph.name == "one_step_on_data" for graph in graphs)


@pytest.mark.parametrize("work", [trained, cut_by_taylor, explained])
def test_no_training_step_stays_in_memory(work):
    before, model = training_steps(), network()
    work(model)
    del model
    assert training_steps() == before


def test_one_replica_learns_the_same():
    ends = []
    for prepare in (spare_sum, lambda optimizer: None):
        model, optimizer = network(), keras.optimizers.Adam(0.01)
        prepare(optimizer)
        model.compile(optimizer, "sparse_categorical_crossentropy")
        model.train_on_batch({"image": IMAGES.astype("float32")}, LABELS)
        ends.append(model.get_weights())
    for one, other in zip(*ends, strict=True):
        np.testing.assert_array_equal(one, other)


def test_replicas_of_a_strategy_are_summed():
    optimizer = keras.optimizers.Adam()
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        spare_sum(optimizer)
    assert "_all_reduce_sum_gradients" not in vars(optimizer)
    spare_sum(optimizer)
    assert "_all_reduce_sum_gradients" in vars(optimizer)
