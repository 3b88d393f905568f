"""MIRACLE: divergences by integration, penalties by hand, bits that are held, runs that go on."""

import keras
import numpy as np
import pytest
from keras import layers
from scipy import integrate, stats

from slimderm.components.common.errors import ParameterError
from slimderm.components.network_compression.coder import Coder
from slimderm.components.network_compression.miracle import Miracle
from slimderm.components.network_compression.random_code import Part
from slimderm.components.network_compression.recipe import Step, compress
from slimderm.components.network_compression.share import ShareWeights
from slimderm.components.network_compression.slim_file import inspect, pack, unpack
from slimderm.components.network_compression.sparsify import Sparsify
from slimderm.components.network_compression.variational import START_PENALTY, Posterior

GENERATOR = np.random.default_rng(0)
INPUTS = GENERATOR.standard_normal((256, 6)).astype(np.float32)
TARGETS = INPUTS[:, :3].argmax(axis=1)
PASS = Miracle(60, bits=8, hashing={"hidden": 2}, trainings=2, rounds=3, pace=1.02)


class Training:
    """Trains, and counts; stops before a training as a killed process does.

    Few steps are taken one by one: to compile a network takes longer.
    """

    def __init__(self, epochs=2, stop_before=None):
        self.epochs, self.stop_before, self.count = epochs, stop_before, 0

    def __call__(self, model):
        if self.count == self.stop_before:
            raise KeyboardInterrupt
        self.count += 1
        model.compile(
            keras.optimizers.Adam(0.02),
            "sparse_categorical_crossentropy",
            run_eagerly=self.epochs < 10,
        )
        model.fit(INPUTS, TARGETS, batch_size=64, epochs=self.epochs, shuffle=False, verbose=0)


@pytest.fixture(scope="module")
def small():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(10, activation="relu", name="hidden"),
            layers.BatchNormalization(name="norm"),
            layers.Dense(3, activation="softmax", name="last"),
        ]
    )
    Training(3)(model)
    return model


@pytest.fixture(scope="module")
def made(small):
    return PASS.apply(small, fine_tune=Training(), seed=3)


def accuracy(model):
    return np.mean(np.asarray(model(INPUTS)).argmax(axis=1) == TARGETS)


def same(one, other):
    ours, theirs = one.get_weights(), other.get_weights()
    return all(a.tobytes() == b.tobytes() for a, b in zip(ours, theirs, strict=True))


def test_divergences_are_those_of_numerical_integration():
    layer = layers.Dense(2)
    layer.build((1, 2))
    layer._tracker.unlock()
    posterior = Posterior(np.float32([[0.5, -0.2]]), Part(2), None)
    posterior.build(layer, "kernel")
    posterior.log_sigma.assign(np.log([0.3, 0.05]))
    posterior.log_scale.assign(np.log(0.4))
    found = np.asarray(posterior.divergence())
    prior = stats.norm(0, 0.4)
    for mean, sigma, value in zip([0.5, -0.2], [0.3, 0.05], found, strict=True):
        q = stats.norm(mean, sigma)
        expected = integrate.quad(
            lambda w, q=q: q.pdf(w) * (q.logpdf(w) - prior.logpdf(w)),
            mean - 9 * sigma,
            mean + 9 * sigma,
        )[0]
        assert value == pytest.approx(expected, rel=1e-4)


def test_a_step_moves_penalties_and_the_loss_has_them(small):
    plan, _ = PASS._plan(small, 0)
    coder = Coder(small, plan)
    values = np.asarray(coder.rate.divergences())
    assert values.shape == (plan.num_blocks,)
    each = np.concatenate([np.asarray(p.divergence()) for p in coder.posteriors.values()])
    by_hand = [each[coder.blocks.block == block].sum() for block in range(plan.num_blocks)]
    np.testing.assert_allclose(values, by_hand, rtol=1e-5)
    start = np.linspace(1, 2, plan.num_blocks, dtype=np.float32)
    start[1] = 0  # is coded
    coder.rate.penalties.assign(start)
    assert float(sum(coder.network.losses)) == pytest.approx((start * values).sum(), rel=1e-5)
    low = coder.posteriors["hidden/kernel"]
    low.mean.assign(np.zeros(low.start.shape))
    low.log_sigma.assign(np.full(low.start.shape, np.log(1e-9)))  # far above the goal
    for path in ("hidden/bias", "last/kernel", "last/bias"):
        other = coder.posteriors[path]
        other.mean.assign(np.zeros(other.start.shape))
        other.log_sigma.assign(np.full(other.start.shape, float(np.asarray(other.log_scale))))
    above = np.asarray(coder.rate.divergences()) > 8 * np.log(2)
    coder.network(INPUTS, training=False)
    np.testing.assert_array_equal(np.asarray(coder.rate.penalties), start)
    coder.network(INPUTS, training=True)
    expected = np.where(above, start * 1.02, start / 1.02)
    assert {True, False} <= set(above.tolist())
    np.testing.assert_allclose(np.asarray(coder.rate.penalties), expected, rtol=1e-6)
    coder.rate.penalties.assign(np.full(plan.num_blocks, START_PENALTY))
    coder.network(INPUTS, training=True)
    assert np.asarray(coder.rate.penalties).min() == np.float32(START_PENALTY)


@pytest.mark.slow
def test_training_holds_the_bits_of_blocks_and_a_code_of_them_works(small):
    made_by = Miracle(40, bits=8, pace=1.05)
    coder = Coder(small, made_by._plan(small, 0)[0])
    before = coder.bits()
    Training(epochs=120)(coder.network)
    assert before.mean() > 20
    assert coder.bits().mean() == pytest.approx(8, abs=0.4)
    assert coder.bits().std() < 1
    coder.settle_scales()
    coder.code(np.arange(coder.plan.num_blocks))
    assert accuracy(coder.result()[0]) > 0.8


def test_draws_are_for_training_and_means_for_use(small):
    coder = Coder(small, PASS._plan(small, 0)[0])
    used = [np.asarray(coder.network(INPUTS, training=False)) for _ in range(2)]
    drawn = [np.asarray(coder.network(INPUTS, training=True)) for _ in range(2)]
    np.testing.assert_array_equal(*used)
    assert (drawn[0] != drawn[1]).any()


def test_a_network_comes_back_from_the_bytes_that_were_allowed(small, made):
    data = pack(made.model, made.code)
    rows = inspect(data).weights
    coded = {row.path: row.num_bytes for row in rows if row.coding == "random"}
    assert set(coded) == {"hidden/kernel", "hidden/bias", "last/kernel", "last/bias"}
    assert sum(coded.values()) == 60
    assert same(unpack(data), made.model)
    assert len(np.unique(np.abs(made.model.get_layer("hidden").kernel))) == 30
    assert type(made.model.get_layer("hidden")) is layers.Dense
    assert set(made.report.changed) == set(coded)
    assert made.report.parameters == (small.count_params(), small.count_params())


def test_weights_of_no_code_are_trained_and_kept(small, made):
    norm, old = made.model.get_layer("norm"), small.get_layer("norm")
    assert (np.asarray(norm.gamma) != np.asarray(old.gamma)).any()
    assert (np.asarray(norm.moving_mean) != np.asarray(old.moving_mean)).any()


def test_a_killed_run_goes_on_and_ends_the_same(small, made, tmp_path):
    """Killed when the first of three groups was coded, and not trained on for yet."""
    with pytest.raises(KeyboardInterrupt):
        PASS.apply(small, fine_tune=Training(stop_before=3), seed=3, progress=tmp_path)
    rest = Training()
    found = PASS.apply(small, fine_tune=rest, seed=3, progress=tmp_path)
    assert rest.count == 1  # of two before and two between three groups
    assert found.code == made.code
    assert same(found.model, made.model)


def test_progress_of_another_network_is_refused(small, tmp_path):
    Coder(small, PASS._plan(small, 0)[0]).save(tmp_path)
    with pytest.raises(ParameterError, match="holds a network of other weights"):
        Miracle(50, bits=8).apply(small, fine_tune=Training(), progress=tmp_path)


def test_a_recipe_keeps_the_code(small, tmp_path):
    count = []

    def train(model, epochs):
        count.append(epochs)
        Training(epochs)(model)

    steps = [Step(Miracle(60, bits=8, rounds=2), epochs=1)]
    one, other = (list(compress(small, steps, train=train, cache=tmp_path)) for _ in range(2))
    assert count == [1, 1]
    assert other[0].code == one[0].code
    assert len(pack(other[0].model, other[0].code)) < len(pack(other[0].model))
    assert not list(tmp_path.rglob("state.npz"))


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([Step(ShareWeights(2)), Step(PASS)], "received Miracle after ShareWeights"),
        ([Step(Sparsify(0.5)), Step(PASS)], "received Miracle after Sparsify"),
        ([Step(PASS), Step(ShareWeights(2))], "received ShareWeights after Miracle"),
        ([Step(PASS), Step(PASS)], "received Miracle after Miracle"),
    ],
)
def test_passes_that_undo_a_code_or_are_undone_are_refused(steps, said, small):
    with pytest.raises(ParameterError, match=said):
        list(compress(small, steps))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"num_bytes": 0}, "num_bytes: received 0"),
        ({"bits": 0}, "bits: received 0, expected a whole number from 1 to 20"),
        ({"bits": 33}, "bits: received 33"),
        ({"trainings": 0}, "trainings: received 0"),
        ({"rounds": 0}, "rounds: received 0"),
        ({"pace": 1.0}, "pace: received 1.0"),
        ({"hashing": {"hidden": 0}}, "hashing: received 0 for hidden"),
    ],
)
def test_wrong_settings_are_refused(settings, said):
    with pytest.raises(ParameterError, match=said):
        Miracle(**{"num_bytes": 100} | settings)


@pytest.mark.parametrize(
    ("made_by", "options", "said"),
    [
        (Miracle(60), {"fine_tune": None}, "fine_tune: received none"),
        (Miracle(16), {}, "num_bytes: received 16, expected at least 17: scales of 4"),
        (Miracle(60, hashing={"hidden": 61}), {}, "hashing: received 61 for hidden, .* 1 to 60"),
        (Miracle(60, hashing={"third": 2}), {}, "'third', which matches no layer"),
        (Miracle(60), {"seed": 2**63}, "seed: received 9223372036854775808"),
    ],
)
def test_what_cannot_be_coded_is_refused(made_by, options, said, small):
    with pytest.raises(ParameterError, match=said):
        made_by.apply(small, **{"fine_tune": Training()} | options)


def test_layers_that_cannot_be_coded_are_left_and_named():
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(4, trainable=False, name="frozen"),
            layers.Dense(4, dtype="bfloat16", name="half"),
            layers.Reshape((2, 2)),
            layers.SeparableConv1D(2, 1, name="apart"),
            layers.Flatten(),
            layers.Dense(3, activation="softmax", use_bias=False, name="last"),
        ]
    )
    found = Miracle(20, bits=6, rounds=1).apply(model, fine_tune=Training(1))
    assert set(found.report.changed) == {"last/kernel"}
    assert found.report.left == {
        "frozen": "it is frozen, and codes need training",
        "half": "its weights are not float32",
        "apart": "a SeparableConv1D has no plain kernel",
    }
    assert same(unpack(pack(found.model, found.code)), found.model)


def test_shared_and_nested_layers_are_coded(convolutional, batches):
    def fine_tune(model):
        model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
        model.fit(*batches[0], verbose=0)

    found = Miracle(200, rounds=2).apply(convolutional, fine_tune=fine_tune)
    assert {"twice/kernel", "nested/inside/bias", "second/kernel"} <= set(found.report.changed)
    assert same(unpack(pack(found.model, found.code)), found.model)
