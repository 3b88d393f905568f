import pandas as pd

from slimderm.components.reporting import pruning_plots


def test_each_step_hangs_on_its_parent():
    table = pd.DataFrame(
        {
            "network": "lenet5",
            "notation": ["R0", "R1: 50%", "R1: 33%"],
            "parent": [None, "R0", "R0"],
            "num_parameters": [100, 50, 67],
            "accuracy": [0.9, 0.7, 0.8],
            "accepted": [True, False, True],
            "verdict": ["reference", "inconclusive", "non-inferior"],
        }
    )
    ax = pruning_plots.pruning_path(table, "accuracy", "accuracy").axes[0]
    ends = [line.get_xydata().tolist() for line in ax.get_lines()]
    assert ends == [[[100, 0.9], [50, 0.7]], [[100, 0.9], [67, 0.8]]]
    accepted, refused, inconclusive = ax.collections
    assert accepted.get_offsets().tolist() == [[100, 0.9], [67, 0.8]]
    assert len(refused.get_offsets()) == 0
    assert inconclusive.get_offsets().tolist() == [[50, 0.7]]
    assert [text.get_text() for text in ax.texts] == ["R0", "R1\n33%"]


def test_growth_names_the_fit_of_each_law():
    paths = pd.DataFrame({"iteration": [0, 1], "num_parameters": [2e6, 1e6]})
    paths = paths.assign(network="n", scope="all", factor=50.0)
    fits = pd.DataFrame({"model": ["linear", "exponential"], "r2": [0.8, 0.95]})
    fits = fits.assign(network="n", scope="all", factor=50.0)
    ax = pruning_plots.growth(paths, fits, [50.0]).axes[0]
    drawn = {line.get_label(): list(line.get_ydata()) for line in ax.get_lines()}
    assert drawn["50 %"] == [2.0, 1.0]
    assert ax.texts[0].get_text() == "at 50 %:\nlinear R² 0.800\nexponential R² 0.950"
