"""Learning curves of a study: a row a method, a colour a ratio, a style a part."""

import numpy as np
import pandas as pd
import pytest

from slimderm.components.reporting.study_curves import curves


@pytest.fixture
def histories():
    rows = []
    for method, ratios in (("unpruned", (0.0,)), ("l1 inherit", (0.5, 0.9))):
        for ratio in ratios:
            for epoch in range(1, 4):
                cut = 2 if ratio and epoch == 3 else 1
                values = {"method": method, "ratio": ratio, "cut": cut, "epoch": epoch}
                for index, name in enumerate(
                    ("train_accuracy", "validation_accuracy", "train_loss", "validation_loss")
                ):
                    values[name] = index + ratio + epoch / 10
                rows.append(values)
    return pd.DataFrame(rows)


def test_every_number_is_drawn_where_it_belongs(histories):
    figure = curves(histories, title="a study")
    assert len(figure.axes) == 4
    lines = {
        (ax.get_title(loc="left"), line.get_label()): line.get_ydata()
        for ax in figure.axes
        for line in ax.lines
        if not line.get_label().startswith("_")
    }
    assert len(lines) == 2 * 2 + 4 * 2
    np.testing.assert_allclose(lines["unpruned: accuracy", "unpruned, train"], [0.1, 0.2, 0.3])
    drawn = lines["l1 inherit: accuracy", "90% pruned, validation"]
    np.testing.assert_allclose(drawn, 1.9 + np.arange(1, 4) / 10)
    colours = {
        line.get_color() for line in figure.axes[2].lines if line.get_label().startswith("90%")
    }
    assert len(colours) == 1
    assert len({text.get_text() for text in figure.legends[0].get_texts()}) == 6


def test_a_line_stands_where_the_network_was_cut_again(histories):
    figure = curves(histories, title="a study")
    upright = [
        [line.get_xdata()[0] for line in ax.lines if len(set(line.get_xdata())) == 1]
        for ax in figure.axes
    ]
    assert upright == [[], [], [2.5], [2.5]]
