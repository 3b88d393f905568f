import numpy as np
import pandas as pd

from slimderm.components.reporting import sweep_plots


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


def test_a_metrics_panel_shows_both_stages_and_the_control():
    figure = sweep_plots.metrics_against_rank(summary(), {"ssim": "SSIM"}, chosen=200)
    drawn = {line.get_label(): list(line.get_ydata()) for line in figure.axes[0].get_lines()}
    assert drawn["SVD, before encoding"] == [0.9, 0.95, 0.99]
    assert drawn["SVD, as stored"] == [0.89, 0.94, 0.98]
    assert drawn["encoder alone"] == [0.985, 0.985]


def test_size_is_kilobytes_an_image():
    ax = sweep_plots.size_against_quality(summary(), {"ssim": "SSIM"}).axes[0]
    svd, control = ax.get_lines()
    assert svd.get_xdata().tolist() == [70.0] * 3
    assert control.get_xdata().tolist() == [70.0]
    assert [text.get_text() for text in ax.texts] == ["100", "200", "300"]
