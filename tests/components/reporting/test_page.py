from html.parser import HTMLParser

import pandas as pd
import pytest

from slimderm.components.reporting.page import Section, format_cell, render, render_markdown


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.cells, self.images, self.open = [], [], []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == "img":
            self.images.append(dict(attrs)["src"])

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:  # what needs no end, such as img
            pass

    def handle_data(self, data):
        if self.open and self.open[-1] == "td":
            self.cells.append(data)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (True, "yes"),
        (float("nan"), ""),
        (0.123456, "0.1235"),
        (1234567, "1,234,567"),
        (3.0, "3"),
        (123456.7, "123,457"),
        ("a", "a"),
    ],
)
def test_cells_are_written_for_people(value, said):
    assert format_cell(value) == said


def test_the_page_shows_tables_and_pictures_and_escapes_text():
    frame = pd.DataFrame({"name": ["<b>"], "share": [0.5], "count": [1000]})
    page = render("Run <1>", [Section("Images", ("a < b",), frame, {"plots/x.png": "x"})])
    reader = Reader()
    reader.feed(page)
    assert reader.cells == ["<b>", "0.5", "1,000"]
    assert reader.images == ["plots/x.png"]
    assert "<1>" not in page


def test_the_same_page_as_markdown():
    frame = pd.DataFrame({"k": [100], "why_not": ["a|b"]})
    page = render_markdown("Run", [Section("Images", ("One.",), frame, {"x.png": "a picture"})])
    assert page.split("\n\n") == [
        "# Run",
        "## Images",
        "One.",
        "| k | why not |\n| --- | ---: |\n| 100 | a\\|b |",
        "![a picture](x.png)\n",
    ]


def test_a_table_is_folded_where_it_is_asked_to_be():
    sections = [
        Section("Open", (), pd.DataFrame({"k": [1]})),
        Section("Folded one, too", (), pd.DataFrame({"k": [1, 2]}), folded=True),
        Section("Empty", (), pd.DataFrame({"k": []}), folded=True),
    ]
    before, after = render("Run", sections).split('<h2 id="folded-one-too">')
    assert ("<table>" in before, "<details>" in before) == (True, False)
    assert after.index("<details>") < after.index("Table of 2 rows") < after.index("<table>")
    assert after.count("<details>") == 1


def test_a_sentence_in_a_table_has_room():
    reason = "missed: accuracy 0.48 < 0.51 (threshold 0.90 lowered)"
    page = render("Run", [Section("Pruning", (), pd.DataFrame({"at": ["R1"], "why": [reason]}))])
    assert '<td class="sentence">missed: accuracy 0.48 &lt; 0.51' in page
    assert '<th class="sentence">' in page
    assert "<td>R1</td>" in page
