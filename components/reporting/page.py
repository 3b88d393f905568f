"""A run on one page, in HTML and in Markdown: sentences, tables, pictures; no outside resource.

The pages are laid out by the files of `templates`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

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
        Path relative to the page, to the text that stands for the picture.
    """

    title: str
    sentences: Sequence[str] = ()
    table: pd.DataFrame | None = None
    pictures: Mapping[str, str] | None = None

    def layout(self) -> dict[str, object]:
        """Give what the templates show; ``columns`` are names, and whether sentences are below."""
        table = pd.DataFrame() if self.table is None else self.table.astype(object)
        return {
            "title": self.title,
            "sentences": self.sentences,
            "table": table,
            "columns": [(heading(name), any(map(is_sentence, table[name]))) for name in table],
            "rows": list(table.itertuples(index=False)),
            "pictures": list((self.pictures or {}).items()),
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
    environment.filters |= {"cell": format_cell, "markdown": markdown_table}
    environment.tests["sentence"] = is_sentence
    return environment


def _render(template: str, title: str, sections: Sequence[Section]) -> str:
    layouts = [section.layout() for section in sections]
    return _templates().get_template(template).render(title=title, sections=layouts)


def render(title: str, sections: Sequence[Section]) -> str:
    """Give the page as HTML text.

    Parameters
    ----------
    title : str
        Heading of the page.
    sections : sequence of Section
        In order.

    Returns
    -------
    str
        A whole HTML document; every text in it is escaped.
    """
    return _render("page.html.jinja", title, sections)


def render_markdown(title: str, sections: Sequence[Section]) -> str:
    """Give the same page as Markdown.

    Parameters
    ----------
    title : str
        Heading of the page.
    sections : sequence of Section
        In order.

    Returns
    -------
    str
        Headings, paragraphs, pipe tables and pictures.
    """
    return _render("page.md.jinja", title, sections)


def markdown_table(frame: pd.DataFrame) -> str:
    """Write a table as Markdown, cells as `format_cell` writes them, numbers to the right."""
    columns = [heading(name) for name in frame]
    rows = list(frame.astype(object).itertuples(index=False))
    return _templates().get_template("table.md.jinja").render(columns=columns, rows=rows)
