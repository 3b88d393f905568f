import numpy as np
import pandas as pd

from slimderm.components.reporting import pruning_plots, sweep_plots, training_plots


def summary():
    rows = []
    for k, ssim in ((100, 0.9), (200, 0.95), (300, 0.99)):
        for stage, loss in (("before", 0), ("after", 0.01)):
            rows.append({"arm": "svd", "k": k, "stage": stage, "ssim_mean": ssim - loss})
    rows.append({"arm": "control", "k": np.nan, "stage": "after", "ssim_mean": 0.985})
    frame = pd.DataFrame(rows)
    frame["ssim_std"], frame["num_images"] = 0.01, 10
    frame["bytes_after"] = np.where(frame["stage"] == "after", 700_000, np.nan)
    return frame


def lines(ax):
    return {line.get_label(): list(line.get_ydata()) for line in ax.get_lines()}


def test_a_metrics_panel_shows_both_stages_and_the_control():
    figure = sweep_plots.metrics_against_rank(summary(), {"ssim": "SSIM"}, chosen=200)
    drawn = lines(figure.axes[0])
    assert drawn["SVD, before encoding"] == [0.9, 0.95, 0.99]
    assert drawn["SVD, as stored"] == [0.89, 0.94, 0.98]
    assert drawn["encoder alone"] == [0.985, 0.985]


def test_size_is_kilobytes_an_image():
    ax = sweep_plots.size_against_quality(summary(), {"ssim": "SSIM"}).axes[0]
    svd, control = ax.get_lines()
    assert svd.get_xdata().tolist() == [70.0] * 3
    assert control.get_xdata().tolist() == [70.0]
    assert [text.get_text() for text in ax.texts] == ["100", "200", "300"]


def test_each_step_hangs_on_its_parent():
    table = pd.DataFrame(
        {
            "network": "lenet5",
            "notation": ["R0", "R1: 50%", "R1: 33%"],
            "parent": [None, "R0", "R0"],
            "num_parameters": [100, 50, 67],
            "accuracy": [0.9, 0.7, 0.8],
            "accepted": [True, False, True],
        }
    )
    ax = pruning_plots.pruning_path(table, "accuracy", "accuracy").axes[0]
    ends = [line.get_xydata().tolist() for line in ax.get_lines()]
    assert ends == [[[100, 0.9], [50, 0.7]], [[100, 0.9], [67, 0.8]]]
    accepted, refused = ax.collections
    assert accepted.get_offsets().tolist() == [[100, 0.9], [67, 0.8]]
    assert refused.get_offsets().tolist() == [[50, 0.7]]
    assert [text.get_text() for text in ax.texts] == ["R0", "R1\n33%"]


def test_confusion_cells_hold_the_counts():
    record = {"confusion": [[3, 1], [0, 4]], "classes": ["a", "b"]}
    ax = training_plots.confusion_matrices({"x": record}).axes[0]
    assert [text.get_text() for text in ax.texts] == ["3", "1", "0", "4"]
    assert ax.images[0].get_array().tolist() == [[0.75, 0.25], [0, 1]]


def test_learning_curves_draw_both_parts():
    history = pd.DataFrame(
        {"epoch": [1, 2], "train_accuracy": [0.3, 0.6], "validation_accuracy": [0.2, 0.5]}
    )
    drawn = lines(training_plots.learning_curves({"x": history}).axes[0])
    assert drawn == {"train": [0.3, 0.6], "validation": [0.2, 0.5]}


def test_growth_names_the_fit_of_each_law():
    paths = pd.DataFrame({"iteration": [0, 1], "num_parameters": [2e6, 1e6]})
    paths = paths.assign(network="n", scope="all", factor=50.0)
    fits = pd.DataFrame({"model": ["linear", "exponential"], "r2": [0.8, 0.95]})
    fits = fits.assign(network="n", scope="all", factor=50.0)
    ax = pruning_plots.growth(paths, fits, [50.0]).axes[0]
    assert lines(ax)["50 %"] == [2.0, 1.0]
    assert ax.texts[0].get_text() == "at 50 %:\nlinear R² 0.800\nexponential R² 0.950"
