import pandas as pd
import pytest

from slimderm.components.reporting.tables import (
    comparison_table,
    pruning_table,
    storage_sentence,
    storage_table,
)


def summary():
    rows = [
        ("svd", 100, 1200, 300, 0.0),
        ("svd", 350, 1200, 400, 0.5),
        ("control", None, 1200, 402, 0.0),
    ]
    return pd.DataFrame(
        [
            {
                "arm": arm,
                "k": k,
                "stage": "after",
                "bytes_before": b,
                "bytes_after": a,
                "full_rank": f,
            }
            for arm, k, b, a, f in rows
        ]
        + [{"arm": "svd", "k": 100, "stage": "before", "bytes_before": 1200, "full_rank": 0.0}]
    )


def test_the_saving_is_the_encoders_times_the_svds():
    table = storage_table(summary())
    assert list(table["k"]) == [100, 350]
    assert table["compression_ratio"].tolist() == [4.0, 3.0]
    assert table["encoder_ratio"].tolist() == pytest.approx([1200 / 402] * 2)
    assert table["svd_ratio"].tolist() == pytest.approx([402 / 300, 402 / 400])
    product = table["encoder_ratio"] * table["svd_ratio"]
    assert product.tolist() == pytest.approx(table["compression_ratio"].tolist())
    assert table["storage_saved"].tolist() == pytest.approx([0.75, 2 / 3])


def test_the_sentence_names_both_parts():
    said = storage_sentence(storage_table(summary()), 350)
    assert said == "Of the 3.00× saved at k = 350, 2.99× is the encoder's and 1.005× the SVD's."


def test_the_sentence_says_when_files_grew():
    table = summary()
    table["bytes_before"] = 200
    said = storage_sentence(storage_table(table), 350)
    assert said == (
        "Nothing is saved at k = 350: the files grow to 2.00×, of which 2.01× is the encoder's and "
        "0.995× the SVD's."
    )


def test_a_k_that_was_not_swept_is_an_error():
    with pytest.raises(KeyError, match="k = 7"):
        storage_sentence(storage_table(summary()), 7)


def record(**extra):
    parts = ("train", "validation", "test")
    names = (
        "accuracy",
        "precision",
        "recall",
        "balanced_accuracy",
        "melanoma_sensitivity",
        "auroc",
    )
    metrics = {f"{part}_{name}": 0.5 for part in parts for name in names}
    return {"network": "lenet5", "variant": "original", "metrics": metrics} | extra


def test_intervals_stand_beside_their_metric():
    table = comparison_table([record(intervals={"test_auroc": [0.4, 0.6]})])
    columns = list(table)
    place = columns.index("test_auroc")
    assert columns[place + 1 : place + 3] == ["test_auroc_low", "test_auroc_high"]
    assert table.loc[0, "test_auroc_high"] == 0.6


def test_a_step_without_test_has_no_test_columns():
    step = record(
        notation="R1: 50%",
        parent="R0",
        widths={"convolutions": [3, 8], "dense": [42, 60]},
        num_parameters=10,
        share_of_parameters=0.5,
        multiply_accumulates=5,
        bytes=1,
        bytes_with_optimizer=3,
        training_seconds=1.0,
        latency_p50_ms=1.0,
        verdict={"accepted": False, "word": "refused", "reason": "too low"},
    )
    step["metrics"] = {k: v for k, v in step["metrics"].items() if not k.startswith("test")}
    table = pruning_table([step])
    assert table.loc[0, "convolutions"] == "3-8"
    assert not table.loc[0, "accepted"]
    assert table.loc[0, "verdict"] == "refused"
    assert not [name for name in table if name.startswith("test")]
