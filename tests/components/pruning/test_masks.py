"""Masks zero weights, hold them there, and shrink nothing."""

import json

import keras
import numpy as np
import pytest

from slimderm.components.common.errors import ParameterError
from slimderm.components.pruning.apply_step import apply_step, fresh, maskable, sizes
from slimderm.components.pruning.masks import apply_masks, kernels, magnitude_masks, sparsity
from slimderm.components.pruning.method import Budget, Limits, PruningMethod, PruningStep
from slimderm.components.pruning.replay import replay


def test_one_threshold_over_all_kernels_by_numpy(small):
    model = small()
    values = np.concatenate([np.abs(k.numpy()).ravel() for k in kernels(model).values()])
    threshold = np.sort(values)[round(0.6 * len(values)) - 1]
    for name, mask in magnitude_masks(model, 0.6).items():
        np.testing.assert_array_equal(mask, np.abs(kernels(model)[name].numpy()) > threshold)


def test_the_ratio_of_each_kernel(small):
    model = small()
    for mask in magnitude_masks(model, 0.25, scope="local").values():
        assert (~mask).sum() == round(0.25 * mask.size)


def test_masks_hold_while_the_model_is_trained_and_nothing_shrinks(small, tmp_path):
    model = small()
    number = model.count_params()
    masks = magnitude_masks(model, 0.7)
    apply_masks(model, masks)
    assert sparsity(model) == pytest.approx(0.7, abs=1e-3)
    model.compile("adam", "mse")
    model.fit(np.ones((8, 8, 8, 3)), np.ones((8, 3)), epochs=3, batch_size=4, verbose=0)
    assert sparsity(model) == pytest.approx(0.7, abs=1e-3)
    assert model.count_params() == number
    model.save(tmp_path / "masked.keras")
    loaded = keras.models.load_model(tmp_path / "masked.keras")
    assert sparsity(loaded) == sparsity(model)
    assert all(kernel.constraint is None for kernel in kernels(loaded).values())


def test_layers_are_masked_one_after_the_other(small, tmp_path):
    method = PruningMethod(masks=True, init="inherit", scope="local")
    first = apply_step(small(), PruningStep(total=0.5, layers=("c",)), method, tmp_path)
    second = apply_step(first, PruningStep(total=0.5, layers=("d",)), method, tmp_path)
    zeros = {name: float((k.numpy() == 0).mean()) for name, k in kernels(second).items()}
    assert zeros == pytest.approx(
        {"a/kernel": 0, "b/kernel": 0, "c/kernel": 0.5, "d/kernel": 0.5, "out/kernel": 0}
    )
    assert second.get_layer("c").kernel.constraint is not None


def test_percentages_count_from_the_weights_that_may_go(small, tmp_path):
    method = PruningMethod(
        masks=True, init="inherit", scope="local", limits=Limits(keep=["d", "out"])
    )
    first = apply_step(small(), PruningStep(percent=50), method, tmp_path)
    second = apply_step(first, PruningStep(percent=50), method, tmp_path)
    assert sparsity(second, keep=["d", "out"]) == pytest.approx(0.75, abs=1e-3)
    assert sparsity(second, only=["d", "out"]) == 0


def test_every_layer_with_a_kernel_may_get_a_mask_and_is_counted(small):
    found = maskable(small(), Limits(keep=["d"]))
    assert found == {"a": 216, "b": 576, "c": 432, "out": 30}


def test_a_mask_leaves_a_kernels_own_constraint_in_force(small):
    model = small()
    model.get_layer("d").kernel.constraint = keras.constraints.MaxNorm(0.1)
    for _ in range(2):
        apply_masks(model, magnitude_masks(model, 0.5))
    held = model.get_layer("d").kernel.constraint(model.get_layer("d").kernel)
    assert np.linalg.norm(held, axis=0).max() <= 0.1 + 1e-6
    assert (np.asarray(held) == 0).any()


def test_names_ratios_and_budgets_that_make_no_sense_are_refused(small, tmp_path):
    with pytest.raises(ParameterError, match="'conv9'"):
        magnitude_masks(small(), 0.5, keep=["conv9"])
    with pytest.raises(ParameterError, match="ratio: received 1"):
        magnitude_masks(small(), 1)
    with pytest.raises(ParameterError, match="is not built"):
        magnitude_masks(keras.Sequential([keras.layers.Dense(3)]), 0.5)
    with pytest.raises(ParameterError, match="scope"):
        magnitude_masks(small(), 0.5, scope="here")
    with pytest.raises(ParameterError, match="removes no channels"):
        apply_step(
            small(), PruningStep(budget=Budget("bytes", 9)), PruningMethod(masks=True), tmp_path
        )
    with pytest.raises(ParameterError, match="exactly one of them"):
        PruningStep(percent=50, total=0.5)
    with pytest.raises(ParameterError, match="init: received 'old'"):
        PruningMethod(init="old")


def test_where_no_kernel_is_left_masks_are_refused(small):
    inputs = keras.Input((4,))
    bare = keras.Model(inputs, keras.layers.ReLU()(inputs))
    for scope in ("local", "global"):
        with pytest.raises(ParameterError, match=r"keep \['\*'\].*none of its 5 kernels"):
            magnitude_masks(small(), 0.5, keep=["*"], scope=scope)
        with pytest.raises(ParameterError, match="none of its 0 kernels"):
            magnitude_masks(bare, 0.5, scope=scope)
    with pytest.raises(ParameterError, match="none of its 0 kernels"):
        sparsity(bare)
    with pytest.raises(ParameterError, match="none of its 5 kernels"):
        sparsity(small(), keep=["*"])


def test_what_is_left_keeps_its_weights_or_starts_anew(small, tmp_path):
    model, pruning_step = small(), PruningStep(percent=50)
    inherited = apply_step(model, pruning_step, PruningMethod("l1", init="inherit"), tmp_path)
    log = json.loads((tmp_path / "surgery.json").read_text())
    for one, other in zip(replay(model, log).get_weights(), inherited.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    scratch = apply_step(model, pruning_step, PruningMethod("l1", init="scratch", seed=3), tmp_path)
    assert [w.shape for w in scratch.get_weights()] == [w.shape for w in inherited.get_weights()]
    assert not np.allclose(scratch.get_layer("c").kernel, inherited.get_layer("c").kernel)
    again = fresh(inherited, 3)
    np.testing.assert_array_equal(again.get_layer("c").kernel, scratch.get_layer("c").kernel)


def test_sizes_are_those_of_the_groups_that_may_shrink(small):
    assert sorted(sizes(small(), Limits(keep=["d"])).values()) == [6, 8]
