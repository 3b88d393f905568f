from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from slimderm.components.dataset.strata import stratified_order


@given(st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=120), st.integers(0, 9))
def test_every_prefix_holds_each_stratum_in_proportion(strata, seed):
    order = stratified_order(strata, seed=seed)
    assert sorted(order) == list(range(len(strata)))
    sizes, total = Counter(strata), len(strata)
    counts = Counter()
    for n, position in enumerate(order, start=1):
        counts[strata[position]] += 1
        assert all(abs(counts[name] * total - n * size) < total for name, size in sizes.items())


def test_the_order_follows_from_the_seed_and_the_strata_from_their_sizes():
    strata = ["nv"] * 67 + ["mel"] * 11 + ["df"]
    mixed = list(np.random.default_rng(5).permutation(strata))
    order, other = stratified_order(strata, seed=1), stratified_order(strata, seed=2)
    assert order == stratified_order(strata, seed=1)
    assert order != other
    names = [strata[i] for i in order]
    assert names == [strata[i] for i in other]
    assert names == [mixed[i] for i in stratified_order(mixed, seed=1)]
    turned = strata[67:] + strata[:67]  # each stratum's own order is kept
    assert [(i + 67) % 79 for i in stratified_order(turned, seed=1)] == order
    firsts = {stratified_order(strata, seed=seed)[0] for seed in range(60)}
    assert len(firsts) > 20


def test_no_images_have_an_empty_order():
    assert stratified_order([], seed=0) == []
