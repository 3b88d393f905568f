"""Serve a kiosk's folder, on loopback unless told otherwise: its files, and nothing else."""

import os
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from slimderm.components.common.errors import ParameterError
from slimderm.flows.serving.kiosk import policy_of

HOST = os.environ.get("SERVERS_HOST", "127.0.0.1")
PORT = os.environ.get("KIOSK_PORT", "5002")
TYPES = {  # those that systems know badly; a worker, a module and wasm do not load under others
    ".css": "text/css",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".json": "application/json",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
    ".tflite": "application/octet-stream",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
}


def kiosk_server(folder: Path, host: str = HOST, port: int | str = PORT) -> ThreadingHTTPServer:
    """Make a server of a folder that `slimderm.flows.serving.kiosk.build_kiosk` wrote.

    Parameters
    ----------
    folder : path
    host : str
    port : int or str
        0 takes any free one.

    Returns
    -------
    ThreadingHTTPServer
        It listens; ``serve_forever`` answers.

    Raises
    ------
    ParameterError
        If the folder holds no kiosk, or nothing can listen there.
    """
    policy = policy_of(folder)
    handler = partial(_Handler, directory=str(folder), policy=policy)
    try:
        return ThreadingHTTPServer((host, int(port)), handler)
    except (OSError, OverflowError, ValueError) as error:
        raise ParameterError(
            f"KIOSK_PORT: received {host}:{port}, expected an address where nothing listens "
            f"({error}); set KIOSK_PORT to another"
        ) from error


class _Handler(SimpleHTTPRequestHandler):
    """GET and HEAD of files; http.server refuses other methods."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | TYPES

    def __init__(self, *given: Any, policy: str, **named: Any) -> None:
        self.policy = policy
        super().__init__(*given, **named)

    def end_headers(self) -> None:
        headers = {
            "Content-Security-Policy": f"{self.policy}; frame-ancestors 'none'",
            "Cache-Control": "no-cache",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        for name, value in headers.items():
            self.send_header(name, value)
        super().end_headers()

    def list_directory(self, path: str | os.PathLike[str]) -> None:
        """Refuse to list a folder that has no page."""
        self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Say nothing of who asked for what."""
