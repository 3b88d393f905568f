"""The page on which a photograph is tried."""

from pathlib import Path

_FOLDER = Path(__file__).with_name("static")
FILES = {
    "/": _FOLDER / "index.html",
    "/page.js": _FOLDER / "page.js",
    "/page.css": _FOLDER / "page.css",
}
POLICY = "default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'; base-uri 'none'"
