import itertools

import numpy as np
from matplotlib.figure import Figure

from slimderm.components.reporting.point_labels import label_points


def test_labels_of_a_crowd_cover_neither_each_other_nor_a_point_and_are_nearest_to_theirs():
    kilobytes, decibels = [57.8, 70.1, 70.5, 69.8, 69.3], [37.7, 41.6, 41.8, 41.93, 41.98]
    points = np.column_stack([kilobytes, decibels])  # of the demo
    labels = ["100", "300", "350", "400", "450"]
    figure = Figure(figsize=(4.6, 3.6), layout="constrained")
    ax = figure.subplots()
    ax.plot(*points.T, "o-")
    ax.margins(0.1)
    label_points(ax, points, labels)
    figure.draw_without_rendering()
    texts = [text for text in ax.texts if text.get_text()]
    assert [text.get_text() for text in texts] == labels
    boxes = [text.get_window_extent() for text in texts]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    places = ax.transData.transform(points)
    assert not any(box.contains(*place) for box in boxes for place in places)
    for index, box in enumerate(boxes):
        middle = (box.min + box.max) / 2
        assert np.linalg.norm(places - middle, axis=1).argmin() == index


def test_a_label_that_stands_off_has_a_line_to_its_point():
    figure = Figure(figsize=(4, 3))
    ax = figure.subplots()
    crowd = np.column_stack([np.linspace(0.48, 0.52, 9), np.full(9, 0.5)])
    ax.plot(*crowd.T, "o")
    ax.set(xlim=(0, 1), ylim=(0, 1))
    label_points(ax, crowd, ["label"] * 9)
    lines = [text.arrow_patch for text in ax.texts if text.arrow_patch is not None]
    assert lines
