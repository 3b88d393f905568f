"""A run on one page, in HTML and in Markdown: sentences, tables, pictures; no outside resource."""

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem;
       color: #1d2430; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
table { border-collapse: collapse; font-size: 12.5px; margin: .8rem 0; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #e3e7ec; text-align: right;
         vertical-align: top; }
th { background: #f4f6f8; position: sticky; top: 0; }
td:first-child, th:first-child, .sentence { text-align: left; }
td.sentence { min-width: 36em; }
.wide { overflow-x: auto; } img { max-width: 100%; } .note { color: #5f6b73; }
"""


SENTENCE = 40  # characters from which a cell is read, not compared: it gets room


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


def _is_sentence(value: object) -> bool:
    return isinstance(value, str) and len(value) >= SENTENCE


def _tag(name: str, text: str, *, sentence: bool) -> str:
    kind = ' class="sentence"' if sentence else ""
    return f"<{name}{kind}>{html.escape(text)}</{name}>"


def _table(frame: pd.DataFrame) -> str:
    head = "".join(
        _tag("th", str(name).replace("_", " "), sentence=any(map(_is_sentence, column)))
        for name, column in frame.items()
    )
    body = "".join(
        f"<tr>{''.join(_tag('td', format_cell(v), sentence=_is_sentence(v)) for v in row)}</tr>"
        for row in frame.astype(object).itertuples(index=False)
    )
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


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
    parts = [f"<h1>{html.escape(title)}</h1>"]
    for section in sections:
        parts.append(f"<h2>{html.escape(section.title)}</h2>")
        parts += [f"<p>{html.escape(sentence)}</p>" for sentence in section.sentences]
        if section.table is not None and len(section.table):
            parts.append(_table(section.table))
        for path, text in (section.pictures or {}).items():
            parts.append(f'<p><img src="{html.escape(path)}" alt="{html.escape(text)}"></p>')
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}'
        f"</title><style>{STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


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
    parts = [f"# {title}"]
    for section in sections:
        parts += [f"## {section.title}", *section.sentences]
        if section.table is not None and len(section.table):
            parts.append(markdown_table(section.table))
        pictures = (section.pictures or {}).items()
        parts += [f"![{text}]({path})" for path, text in pictures]
    return "\n\n".join(parts) + "\n"


def markdown_table(frame: pd.DataFrame) -> str:
    """Write a table as Markdown, numbers to the right."""

    def line(cells: Iterable[object]) -> str:
        return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"

    rows = frame.astype(object).itertuples(index=False)
    head = line(str(name).replace("_", " ") for name in frame)
    rule = "| --- |" + " ---: |" * (frame.shape[1] - 1)
    return "\n".join([head, rule, *(line(map(format_cell, row)) for row in rows)])
