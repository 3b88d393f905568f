import numpy as np
import pandas as pd

from slimderm.components.reporting.layer_similarity import feature_rows, heat_maps


def test_similarity_and_features_are_drawn():
    names = [f"conv{index}" for index in range(30)]
    values = pd.DataFrame([[1.0, 0.2], [np.nan, 0.9]], ["first", "second"], ["first", "other"])
    many = pd.DataFrame(np.eye(30), names, names)
    maps = heat_maps({"unpruned, one-shot": values, "unpruned, iterative": many}, title="alike")
    few, thinned = maps.axes[:2]
    assert few.get_title(loc="left") == "unpruned, one-shot"
    assert (few.get_ylabel(), few.get_xlabel()) == ("layer of unpruned", "layer of one-shot")
    assert [text.get_text() for text in few.get_yticklabels()] == ["first", "second"]
    assert [text.get_text() for text in few.get_xticklabels()] == ["first", "other"]
    assert [text.get_text() for text in thinned.get_xticklabels()] == names[::2]
    assert thinned.get_xticks().tolist() == list(range(0, 30, 2))
    image = np.zeros((6, 6, 3), np.uint8)
    shown = (np.zeros((6, 6)), np.zeros((2, 3, 3)), np.zeros((3, 5, 5, 1)))
    figure = feature_rows(image, {"unpruned": shown, "one-shot": shown}, title="l1, 50%")
    assert len(figure.axes) == 2 * 7
