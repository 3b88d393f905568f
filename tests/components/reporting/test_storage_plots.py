import pandas as pd
import pytest

from slimderm.components.reporting import storage_plots as studies

METRICS = {"psnr": "PSNR, dB", "ssim": "SSIM", "haralick_distance": "Haralick distance"}


def arms():
    rows = []
    for codec, qualities in (("jpeg", (50, 75, 95)), ("avif", (50, 80)), ("png", (100,))):
        for k in (float("nan"), 350.0, 100.0):
            for quality in qualities:
                bits = quality / 40 * (2 if codec == "jpeg" else 1) * (0.9 if k == 100 else 1)
                row = {"codec": codec, "quality": quality, "k": k, "bits_per_pixel": bits}
                row |= {"compression_ratio": 24 / bits, "storage_saved": 1 - bits / 24}
                row |= {"encode_ms": 1.0, "decode_ms": 2.0}
                for metric, value in (("psnr", 30), ("ssim", 0.9), ("haralick_distance", 8)):
                    row |= {f"{metric}_mean": value + quality / 1000}
                    row |= {f"{metric}_low": value, f"{metric}_high": value + 0.2}
                rows.append(row)
    return pd.DataFrame(rows)


def lines(ax, style):
    return [
        line for line in ax.get_lines() if line.get_linestyle() == style and len(line.get_xdata())
    ]


def test_a_curve_each_codec_that_has_one_and_dashed_with_svd():
    figure = studies.rate_distortion(arms(), METRICS, 350)
    assert len(figure.axes) == 3
    for ax, metric in zip(figure.axes, METRICS, strict=True):
        assert ax.get_title(loc="left") == METRICS[metric]
        assert len(lines(ax, "-")) == len(lines(ax, "--")) == 2  # png has one quality, no curve
    jpeg = lines(figure.axes[0], "-")[0]
    expected = arms().query("codec == 'jpeg' and k != k")
    assert list(jpeg.get_xdata()) == list(expected["bits_per_pixel"])
    assert list(jpeg.get_ydata()) == list(expected["psnr_mean"])


def test_without_a_rank_nothing_is_dashed():
    figure = studies.rate_distortion(arms(), {"psnr": "PSNR"}, None)
    assert not lines(figure.axes[0], "--")


def test_the_table_of_storage_options_shows_no_svd_and_the_chosen_rank():
    table = studies.options_table(arms(), 350)
    assert len(table) == 12
    assert set(table["k"].dropna()) == {350}
    row = table.iloc[0]
    assert (row["codec"], row["quality"], row["psnr"]) == ("avif", 50, 30.05)


def test_rate_differences_as_text():
    rates = pd.DataFrame(
        [
            ("avif", float("nan"), "psnr", -0.412, -0.45, -0.37),
            ("avif", float("nan"), "ssim", float("nan"), float("nan"), float("nan")),
            ("avif", 350.0, "psnr", 0.05, float("nan"), float("nan")),
            ("avif", 350.0, "ssim", 0.0, -0.1, 0.1),
        ],
        columns=["codec", "k", "metric", "rate", "low", "high"],
    )
    table = studies.rates_wide(rates).set_index("k")
    assert table.loc["no SVD", "psnr"] == "-41.2% (-45.0% to -37.0%)"
    assert table.loc["no SVD", "ssim"] == "none in common"
    assert table.loc["350", "psnr"] == "+5.0%"
    assert table.loc["350", "ssim"] == "+0.0% (-10.0% to +10.0%)"


def test_input_sizes_stand_in_order_of_their_pixels():
    summary = pd.DataFrame({"height": [200, 300], "width": [100, 300], "pixels": [20000, 90000]})
    for metric in ("ssim", "psnr"):
        summary[f"{metric}_mean"] = [0.8, 0.9]
        summary[f"{metric}_low"], summary[f"{metric}_high"] = [0.7, 0.85], [0.9, float("nan")]
    costs = pd.DataFrame(
        {
            "network": ["lenet5", "lenet5"],
            "height": [300, 200],
            "width": [300, 100],
            "parameters": [2e6, 1e6],
            "multiply_accumulates": [4e7, 3e7],
        }
    )
    figure = studies.input_sizes(summary, costs)
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["200×100", "300×300"]
    assert list(figure.axes[2].get_lines()[0].get_ydata()) == pytest.approx([1, 2])
    assert list(figure.axes[3].get_lines()[0].get_ydata()) == pytest.approx([30, 40])
    empty = studies.input_sizes(summary, costs.iloc[:0])  # no network of the paper's kind
    empty.canvas.draw()
    assert not empty.axes[2].get_lines()
