"""What mkdocs cannot do by itself: README.md as first page, an API page a room, links to code."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

DOCS = Path(__file__).parent
ROOT = DOCS.parent


def on_config(config: Any) -> Any:
    """Put decisions and API pages into the navigation, so that nobody lists them."""
    decisions = [path.relative_to(DOCS).as_posix() for path in sorted(DOCS.glob("decisions/*.md"))]
    config.nav += [{"Decisions": decisions}, {"API": list(api_pages())}]
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made from README.md and from docstrings."""
    readme = (ROOT / "README.md").read_text()
    readme = re.sub(r"\]\((?!docs/|https?:|#)", "](../", readme).replace("](docs/", "](")
    for place, text in {"index.md": readme, **api_pages()}.items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Show links to what is no page of the site (code, folders) as the path that they lead to."""

    def shown(link: re.Match[str]) -> str:
        target = (DOCS / page.file.src_uri).parent.joinpath(link[2]).resolve()
        if target.is_relative_to(DOCS) and not target.is_dir():
            return link[0]
        path = f"`{target.relative_to(ROOT)}`"
        return path if link[1].strip("`") in path else f"{link[1]} ({path})"

    return re.sub(r"(?<!!)\[([^\]]+)\]\(((?!https?:|#)[^)#]+)\)", shown, markdown)


def api_pages() -> dict[str, str]:
    """Return the Markdown of the API pages by their places: the face, then a room each."""
    pages = {"api/slimderm.md": "# slimderm\n\n::: slimderm\n"}
    for room in sorted((ROOT / "components").iterdir()):
        modules = [path for path in sorted(room.rglob("*.py")) if path.name != "__init__.py"]
        names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in modules]
        if names:
            title = f"# {room.name.replace('_', ' ').capitalize()}\n"
            pages[f"api/{room.name}.md"] = "\n".join(
                [title, *(f"::: slimderm.{name}\n" for name in names)]
            )
    return pages
