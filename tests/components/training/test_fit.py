from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from slimderm.components.common.errors import ParameterError
from slimderm.components.evaluation.metrics import classification_metrics
from slimderm.components.keras_support.statistics import recompute_statistics
from slimderm.components.pruning.masks import apply_masks, chosen_kernels, magnitude_masks
from slimderm.components.training.batches import BalancedBatches, Examples
from slimderm.components.training.build import build
from slimderm.components.training.checkpoints import CHECKPOINTS
from slimderm.components.training.file_size import bytes_with_optimizer, without_optimizer
from slimderm.components.training.fit import fit
from slimderm.components.training.precision import (
    choose_precision,
    count_gpus,
    policy_for,
    read_cpu_flags,
)
from slimderm.components.training.prediction import predict
from slimderm.components.training.settings import TrainingSettings

SIZE = (24, 20)


def examples(count, seed):
    """Class 1 is bright in its upper half, class 0 in its lower one."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, count)
    images = random.integers(60, 120, (count, *SIZE, 3), dtype=np.uint8)
    images[labels == 1, : SIZE[0] // 2] += 80
    images[labels == 0, SIZE[0] // 2 :] += 80
    metadata = random.standard_normal((count, 3)).astype(np.float32)
    return Examples(images, metadata, labels, np.array([f"{seed}-{n}" for n in range(count)]))


TRAIN, VALIDATION = examples(96, 0), examples(40, 1)
SETTINGS = TrainingSettings(epochs=6, batch_size=16, augment="none", precision="float32")


def lenet(**more):
    return build("lenet5", num_classes=2, input_shape=SIZE, **more)


@pytest.fixture(scope="module")
def trained():
    model, seen = lenet(), []
    history = fit(model, TRAIN, VALIDATION, SETTINGS, on_epoch=lambda n, row: seen.append((n, row)))
    return model, history, seen


def test_it_learns_what_can_be_learnt_and_reports_each_epoch(trained):
    _, history, seen = trained
    assert [number for number, _ in seen] == [1, 2, 3, 4, 5, 6]
    assert history.frame["epoch"].tolist() == [1, 2, 3, 4, 5, 6]
    assert history.frame["validation_balanced_accuracy"].max() > 0.9
    assert history.seconds > 0


def test_the_best_epochs_weights_are_kept(trained):
    model, history, _ = trained
    best = history.frame["validation_balanced_accuracy"].max()
    probabilities = predict(model, VALIDATION)
    found = classification_metrics(VALIDATION.labels, probabilities)
    assert found["balanced_accuracy"] == pytest.approx(best, abs=1e-6)
    row = history.frame.set_index("epoch").loc[history.best_epoch]
    assert row["validation_balanced_accuracy"] == best


def test_the_same_seed_trains_the_same_network(trained):
    again = lenet()
    fit(again, TRAIN, VALIDATION, SETTINGS)
    one, two = (predict(model, VALIDATION) for model in (trained[0], again))
    assert one == pytest.approx(two, abs=1e-5)


def test_the_training_step_is_traced_once(monkeypatch):
    model, traces = lenet(), []
    step = type(model).train_step

    def counted(self, data):
        traces.append(data)
        return step(self, data)

    monkeypatch.setattr(type(model), "train_step", counted)
    fit(model, TRAIN, VALIDATION, TrainingSettings(epochs=1, batch_size=16, augment="none"))
    assert len(traces) == 1


def test_training_stops_early_when_asked():
    settings = TrainingSettings(epochs=30, batch_size=16, augment="none", patience=1)
    wrong = replace(VALIDATION, labels=1 - VALIDATION.labels)  # the more it learns, the worse
    history = fit(lenet(), TRAIN, wrong, settings)
    assert len(history.frame) < 30
    assert len(history.frame) == history.best_epoch + 1


def moving(model):
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    return [
        np.array(each) for layer in layers for each in (layer.moving_mean, layer.moving_variance)
    ]


def test_what_is_kept_has_the_statistics_of_its_own_weights(trained):
    """The whole part, in one batch of the oracle as of fit: Keras's own training step."""
    model, *_ = trained
    fitted = moving(model)
    everything = BalancedBatches(TRAIN, num_classes=2, batch_size=64, seed=0, augmented=False)
    again = keras.models.clone_model(model)
    again.set_weights(model.get_weights())
    recompute_statistics(again, [everything[index][0] for index in range(len(everything))])
    for one, other in zip(fitted, moving(again), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_the_same_weights_with_stale_statistics_are_judged_lower(trained):
    model, history, _ = trained
    again = keras.models.clone_model(model)
    again.set_weights(model.get_weights())
    for layer in again.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            deviation = np.sqrt(layer.moving_variance)
            layer.moving_mean.assign(np.array(layer.moving_mean) + 3 * deviation)
    stale = classification_metrics(VALIDATION.labels, predict(again, VALIDATION))
    kept = history.frame.set_index("epoch").loc[history.best_epoch]
    assert kept["validation_balanced_accuracy"] > stale["balanced_accuracy"] + 0.2


@pytest.mark.parametrize("checkpoint", ["average_last", "trained"])
def test_the_kept_epoch_is_the_one_that_the_rule_names(checkpoint):
    settings = replace(SETTINGS, epochs=3, checkpoint=checkpoint, checkpoint_accuracy=0.7)
    model = lenet()
    history = fit(model, TRAIN, VALIDATION, settings)
    rows = history.frame.to_dict("records")
    standing = CHECKPOINTS[checkpoint].standing
    best = max(rows, key=lambda row: standing(row, 0.7))
    assert history.best_epoch == best["epoch"]
    found = classification_metrics(VALIDATION.labels, predict(model, VALIDATION))
    assert found["balanced_accuracy"] == pytest.approx(
        best["validation_balanced_accuracy"], abs=1e-6
    )


EARLY = {"epoch": 1, "train_accuracy": 0.6}
EARLY |= {"validation_balanced_accuracy": 0.9, "validation_loss": 0.3}
LATE = {"epoch": 2, "train_accuracy": 0.95}
LATE |= {"validation_balanced_accuracy": 0.7, "validation_loss": 0.2}
LAST = {"epoch": 3, "train_accuracy": 0.99}
LAST |= {"validation_balanced_accuracy": 0.6, "validation_loss": 0.4}
WANTED = {
    "average_best": EARLY, "average_loss": LATE, "average_last": LAST,
    "best": EARLY, "loss": LATE, "last": LAST,
    "trained": LATE,  # the better validation of those that reach the training accuracy
}  # fmt: skip


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_each_rule_prefers_its_epoch(name):
    rows = (EARLY, LATE, LAST)
    chosen = max(rows, key=lambda row: CHECKPOINTS[name].standing(row, 0.9))
    assert chosen is WANTED[name]
    assert CHECKPOINTS[name].averaged == name.startswith("average")


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_what_has_no_effect_with_a_checkpoint_is_named(name):
    """By what the rule does with two values, beside what the settings say."""
    rows = (EARLY, LATE, LAST)
    by_accuracy = [[CHECKPOINTS[name].standing(row, asked) for row in rows] for asked in (0.5, 0.9)]
    idle = {"checkpoint_accuracy"} if by_accuracy[0] == by_accuracy[1] else set()
    idle |= set() if name.startswith("average") else {"average_epochs"}
    own = TrainingSettings(checkpoint=name, checkpoint_accuracy=0.5, average_epochs=2)
    place = {"weights"}  # of a file, whose content counts
    assert set(TrainingSettings.__annotations__) - own.in_effect().keys() == idle | place
    sentences = [f"train.{each} has no effect with checkpoint {name}" for each in sorted(idle)]
    assert own.without_effect() == sentences
    assert TrainingSettings(checkpoint=name).without_effect() == []


@pytest.mark.slow
@pytest.mark.parametrize("checkpoint", ["best", "average_last"])
def test_average_epochs_matter_where_they_are_said_to(checkpoint):
    kept = []
    for average_epochs in (0.5, 3):
        model = lenet()
        settings = replace(SETTINGS, epochs=1, checkpoint=checkpoint, average_epochs=average_epochs)
        fit(model, TRAIN, VALIDATION, settings)
        kept.append([np.array(variable) for variable in model.trainable_variables])
    same = all(np.array_equal(*pair) for pair in zip(*kept, strict=True))
    assert same is ("average_epochs" not in settings.in_effect())


def test_averaged_weights_and_a_rate_that_falls_are_as_by_hand():
    """The average of twelve steps, six an epoch, and the cosine of their rates."""
    settings = replace(
        SETTINGS, epochs=2, checkpoint="average_last", average_epochs=5 / 6, decay="cosine"
    )
    model, by_hand, rates = lenet(dropout=0.0), [], []

    def note(batch, count):
        weights = [np.array(variable) for variable in model.trainable_variables]
        old = by_hand or weights
        by_hand[:] = [0.8 * a + 0.2 * b for a, b in zip(old, weights, strict=True)]
        rates.append(float(model.optimizer.learning_rate))

    fit(model, TRAIN, VALIDATION, settings, on_batch=note)
    for one, other in zip(model.trainable_variables, by_hand, strict=True):
        np.testing.assert_allclose(np.array(one), other, atol=1e-5)
    steps = np.arange(1, 13)
    np.testing.assert_allclose(rates, 0.001 * (1 + np.cos(np.pi * steps / 12)), atol=1e-7)


def test_masked_weights_stay_zero_in_an_average():
    model = lenet()
    masks = magnitude_masks(model, ratio=0.5)
    apply_masks(model, masks)
    fit(model, TRAIN, VALIDATION, replace(SETTINGS, epochs=1))
    kernels = chosen_kernels(model)
    for name, mask in masks.items():
        assert not np.array(kernels[name])[~mask].any()


def test_a_network_without_metadata_trains():
    settings = TrainingSettings(epochs=1, batch_size=16)
    history = fit(lenet(image_only=True), TRAIN, VALIDATION, settings)
    assert len(history.frame) == 1


def test_predictions_follow_the_examples_order(trained):
    model, *_ = trained
    whole = predict(model, VALIDATION, batch_size=7)
    inputs = {"image": VALIDATION.images, "metadata": VALIDATION.metadata}
    assert whole == pytest.approx(model.predict(inputs, verbose=0), abs=1e-5)
    assert whole.sum(axis=1) == pytest.approx(np.ones(40), abs=1e-5)


def test_file_sizes_are_those_of_saved_files(trained, tmp_path):
    model = keras.models.clone_model(trained[0])
    model.compile(keras.optimizers.Adam())  # without the average of the weights
    model.optimizer.build(model.trainable_variables)
    with_optimizer = bytes_with_optimizer(model)
    model.save(tmp_path / "trained.keras")
    without_optimizer(model).save(tmp_path / "bare.keras")
    bare = (tmp_path / "bare.keras").stat().st_size
    assert with_optimizer == pytest.approx((tmp_path / "trained.keras").stat().st_size, rel=0.05)
    weights = 4 * model.count_params()
    assert weights < bare < weights + 150_000
    moments = 8 * sum(int(np.prod(w.shape)) for w in model.trainable_variables)
    assert moments < with_optimizer - bare < moments + 150_000


def test_a_saved_network_answers_the_same(trained, tmp_path):
    model, *_ = trained
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    one, two = (predict(m, VALIDATION) for m in (model, loaded))
    assert np.array_equal(one, two)


def test_an_empty_validation_part_is_an_error():
    nothing = Examples(
        VALIDATION.images[:0],
        VALIDATION.metadata[:0],
        VALIDATION.labels[:0],
        VALIDATION.lesions[:0],
    )
    with pytest.raises(ParameterError, match="validation part: received no images"):
        fit(lenet(), TRAIN, nothing, SETTINGS)


def test_precision_follows_the_machine(tmp_path):
    assert policy_for("auto", cpu_flags=(), num_gpus=0) == "float32"
    assert policy_for("auto", cpu_flags={"amx_bf16"}, num_gpus=0) == "mixed_bfloat16"
    assert policy_for("auto", cpu_flags=(), num_gpus=1) == "mixed_bfloat16"
    assert policy_for("float32", cpu_flags={"amx_bf16"}, num_gpus=1) == "float32"
    assert count_gpus() == len(tf.config.list_physical_devices("GPU"))
    with pytest.raises(ParameterError, match="expected one of auto"):
        choose_precision("float8")
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nflags\t\t: fpu amx_bf16 avx\n")
    assert read_cpu_flags(tmp_path / "cpuinfo") == {"fpu", "amx_bf16", "avx"}
    assert read_cpu_flags(tmp_path / "nowhere") == frozenset()
