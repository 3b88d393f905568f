"""Sentences, tables and pictures on one page, in HTML and in Markdown; no outside resource.

The pages are laid out by the files of `templates`. The HTML page is one file for screens of every
width, light and dark, and for paper; a click on a heading sorts a table.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from slimderm.components.reporting.opening import Opening

SENTENCE = 40  # characters from which a cell counts as a sentence: it is given more width


@dataclass(frozen=True)
class Section:
    """A heading with its sentences, tables and pictures.

    Attributes
    ----------
    title : str
        The heading.
    sentences : sequence of str
        Plain text, a paragraph each.
    table : DataFrame or None
        Shown with numbers rounded to four significant digits.
    pictures : mapping
        Address, or path relative to the page, to the text that stands for the picture.
    folded : bool
        Whether HTML shows the table only when it is asked for.
    """

    title: str
    sentences: Sequence[str] = ()
    table: pd.DataFrame | None = None
    pictures: Mapping[str, str] | None = None
    folded: bool = False

    @property
    def anchor(self) -> str:
        """What links to the section name."""
        return "-".join(re.findall(r"[a-z0-9]+", self.title.lower()))

    @property
    def has_table(self) -> bool:
        """Whether there is a row to show."""
        return self.table is not None and not self.table.empty


def laid_out(frame: pd.DataFrame) -> dict[str, object]:
    """Give what the templates show of a table: ``columns`` (name, whether it holds sentences)."""
    table = frame.astype(object)
    return {
        "columns": [(heading(name), any(map(is_sentence, table[name]))) for name in table],
        "rows": list(table.itertuples(index=False)),
    }


def format_cell(value: object) -> str:
    """Write a table's cell: four significant digits, thousands apart, nothing for a missing one."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if pd.isna(value):
            return ""
        whole = value.is_integer() and abs(value) < 1e15
        return f"{value:,.0f}" if whole or abs(value) >= 1e4 else f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)


def heading(name: object) -> str:
    """Write a column's name for people."""
    return str(name).replace("_", " ")


def is_sentence(value: object) -> bool:
    """Whether a cell holds a sentence rather than a value to compare."""
    return isinstance(value, str) and len(value) >= SENTENCE


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("slimderm.components.reporting"),
        autoescape=select_autoescape(["html.jinja"], default_for_string=False),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "cell": format_cell,
        "laid_out": laid_out,
        "markdown": markdown_table,
    }
    environment.tests["sentence"] = is_sentence
    return environment


def render(title: str, sections: Sequence[Section], opening: Opening | None = None) -> str:
    """Give the page as HTML text.

    Parameters
    ----------
    title : str
        Heading of the page.
    sections : sequence of Section
        In order.
    opening : Opening, optional
        What stands before them.

    Returns
    -------
    str
        A whole HTML document; every text in it is escaped.
    """
    return _render("page.html.jinja", title, sections, opening)


def render_markdown(title: str, sections: Sequence[Section], opening: Opening | None = None) -> str:
    """Give the same page as Markdown, the opening without its pictures.

    Parameters
    ----------
    title, sections, opening
        As for `render`.

    Returns
    -------
    str
        Headings, paragraphs, pipe tables and pictures.
    """
    return _render("page.md.jinja", title, sections, opening)


def _render(template: str, title: str, sections: Sequence[Section], opening: Opening | None) -> str:
    found = _templates().get_template(template)
    return found.render(title=title, sections=sections, opening=opening)


def markdown_table(frame: pd.DataFrame) -> str:
    """Write a table as Markdown, cells as `format_cell` writes them, numbers to the right."""
    columns = [heading(name) for name in frame]
    rows = list(frame.astype(object).itertuples(index=False))
    return _templates().get_template("table.md.jinja").render(columns=columns, rows=rows)
