"""What is answered where something is wrong: always a message, never a traceback."""

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from slimderm.components.common.errors import SlimDermError

LOGGER = logging.getLogger("uvicorn.error")
SHOWN = 60  # characters of a value that is at fault


def add_errors(app: FastAPI) -> None:
    """Let every error be ``{"message": ...}``: 400 for what was asked, 500 for what is ours."""

    @app.exception_handler(SlimDermError)
    async def ours(_request: Request, error: SlimDermError) -> JSONResponse:
        return JSONResponse({"message": str(error)}, 400)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        said = [_sentence(each) for each in error.errors()]
        return JSONResponse({"message": "\n".join(said)}, 400)

    @app.exception_handler(HTTPException)
    async def other(_request: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"message": str(error.detail)}, error.status_code, error.headers)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        LOGGER.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return JSONResponse({"message": "the service failed; its log says why"}, 500)


def _sentence(fault: dict[str, object]) -> str:
    """Say of one value what was received and what was expected."""
    place = fault["loc"]
    name = ".".join(map(str, place[1:])) if isinstance(place, tuple) else ""
    received = repr(fault.get("input"))[:SHOWN]
    return f"{name or 'body'}: received {received}, expected otherwise: {fault['msg']}"
