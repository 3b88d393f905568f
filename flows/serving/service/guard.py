"""Who may ask, how often, how much: checked before anything is read."""

import asyncio
import contextlib
import hmac
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.responses import JSONResponse, Response

from slimderm.flows.serving.service.counts import Counts
from slimderm.flows.serving.service.settings import ServiceSettings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

GUARDED = ("/predict", "/model", "/metrics")  # other addresses tell nothing of people or models
MB = 1_000_000


class TooLargeError(Exception):
    """A request that goes on after it was said to end, or never said how long it is."""


class Guard:
    """Middleware: token, rate, size and number of requests.

    Parameters
    ----------
    app : callable
        What is guarded.
    settings : ServiceSettings
    counts : Counts
        Told of every request, also of those that are refused.
    """

    def __init__(self, app: App, settings: ServiceSettings, counts: Counts) -> None:
        self.app, self.settings, self.counts = app, settings, counts
        self.rate, self.limiter = parse(settings.rate), MovingWindowRateLimiter(MemoryStorage())
        self.places = asyncio.Semaphore(settings.at_once)
        self.waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer in place of the app where a limit is passed."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def noted(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._answer(scope, receive, noted)
        finally:
            path = getattr(scope.get("route"), "path", "other")
            self.counts.request(path, status, time.perf_counter() - began)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not scope["path"].startswith(GUARDED):
            await self.app(scope, receive, send)
            return
        refused = self._refusal(scope)
        if refused is not None:
            await refused(scope, receive, send)
        elif scope["path"].startswith("/predict"):
            await self._in_turn(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = {name.lower(): value for name, value in scope["headers"]}
        given = headers.get(b"authorization", b"")
        wanted = f"Bearer {self.settings.token}".encode()
        if self.settings.token and not hmac.compare_digest(given, wanted):
            said = "received no token or another one, expected the header Authorization: Bearer"
            return _refused(401, said, {"WWW-Authenticate": "Bearer"})
        if not scope["path"].startswith("/predict"):
            return None
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self.settings.max_mb * MB:
            return self._too_large(int(length))
        client = (scope.get("client") or ("unknown",))[0]
        if not self.limiter.hit(self.rate, client):
            said = f"received more requests than {self.settings.rate}; wait, then ask again"
            return _refused(429, said, {"Retry-After": str(self.rate.get_expiry())})
        return None

    async def _in_turn(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.waiting >= self.settings.waiting:
            said = f"received a request while {self.waiting} wait; ask again"
            await _refused(503, said, {"Retry-After": "1"})(scope, receive, send)
            return
        self.waiting += 1
        try:
            await self.places.acquire()
        finally:
            self.waiting -= 1
        try:
            await self._limited(scope, receive, send)
        finally:
            self.places.release()

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stop reading a body that is longer than it may be, whatever its header says."""
        read = 0.0

        async def counted() -> MutableMapping[str, Any]:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self.settings.max_mb * MB:
                raise TooLargeError
            return message

        async def unless_too_large(message: MutableMapping[str, Any]) -> None:
            if read <= self.settings.max_mb * MB:  # the app may take the error for its own
                await send(message)

        with contextlib.suppress(TooLargeError):
            await self.app(scope, counted, unless_too_large)
        if read > self.settings.max_mb * MB:
            await self._too_large(None)(scope, receive, send)

    def _too_large(self, size: int | None) -> Response:
        received = "a longer request" if size is None else f"{size / MB:.1f} MB"
        return _refused(413, f"received {received}, expected {self.settings.max_mb:g} MB at most")


def _refused(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"message": message}, status, headers)
