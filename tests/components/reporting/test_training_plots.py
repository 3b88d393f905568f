import pandas as pd

from slimderm.components.reporting import training_plots


def test_confusion_cells_hold_the_counts():
    record = {"confusion": [[3, 1], [0, 4]], "classes": ["a", "b"]}
    ax = training_plots.confusion_matrices({"x": record}).axes[0]
    assert [text.get_text() for text in ax.texts] == ["3", "1", "0", "4"]
    assert ax.images[0].get_array().tolist() == [[0.75, 0.25], [0, 1]]


def test_learning_curves_draw_both_parts():
    history = pd.DataFrame(
        {"epoch": [1, 2], "train_accuracy": [0.3, 0.6], "validation_accuracy": [0.2, 0.5]}
    )
    ax = training_plots.learning_curves({"x": history}).axes[0]
    drawn = {line.get_label(): list(line.get_ydata()) for line in ax.get_lines()}
    assert drawn == {"train": [0.3, 0.6], "validation": [0.2, 0.5]}
