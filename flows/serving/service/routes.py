"""The service's addresses."""

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Response, UploadFile
from fastapi.responses import FileResponse, JSONResponse

from slimderm.flows.serving.service.answers import Answer, Asked, Model, Person, answer, person_of
from slimderm.flows.serving.service.champion import Champion
from slimderm.flows.serving.service.counts import CONTENT_TYPE_LATEST, Counts
from slimderm.flows.serving.service.page import FILES, POLICY
from slimderm.flows.serving.watch.recorder import Recorder

REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"description": "Something asked is not what is expected; the message says what is."},
    413: {"description": "The request is too large."},
    429: {"description": "Too many requests of one address."},
    503: {"description": "Too many requests at once."},
}


def routes(champion: Champion, counts: Counts, recorder: Recorder | None) -> APIRouter:
    """Return the addresses of a service."""
    router = APIRouter()
    _add_answers(router, champion, counts, recorder)
    _add_state(router, champion, counts)
    _add_page(router)
    return router


def _add_answers(
    router: APIRouter, champion: Champion, counts: Counts, recorder: Recorder | None
) -> None:
    def reply(image: bytes | str, person: Person) -> Answer:
        found = answer(champion.now, image, person, recorder)
        counts.prediction(found.predicted, len(found.warnings))
        return found

    @router.post("/predict", responses=REFUSALS)
    def predict(
        image: Annotated[UploadFile, File(description="JPEG, PNG, TIFF, WebP, AVIF or JPEG XL.")],
        age: Annotated[str, Form(description="Years; empty where unknown.")] = "",
        sex: Annotated[str, Form(max_length=100)] = "",
        localization: Annotated[str, Form(max_length=100)] = "",
    ) -> Answer:
        """Classify a photograph that is sent as a file."""
        return reply(image.file.read(), person_of(age, sex, localization))

    @router.post("/predict/base64", responses=REFUSALS)
    def predict_base64(asked: Asked) -> Answer:
        """Classify a photograph that is sent as base64 in JSON."""
        return reply(asked.image, asked)


def _add_state(router: APIRouter, champion: Champion, counts: Counts) -> None:
    @router.get("/model")
    def model() -> Model:
        """Say which version answers."""
        return Model(**champion.now.described)

    @router.get("/health")
    def health() -> dict[str, str]:
        """Say that the process lives."""
        return {"status": "alive"}

    @router.get("/ready")
    def ready() -> JSONResponse:
        """Say that requests are answered, and whether by the champion of this moment."""
        now = champion.now
        said = {"status": "ready", "version": now.version, "fault": champion.fault}
        return JSONResponse(said)

    @router.get("/metrics", response_class=Response)
    def metrics() -> Response:
        """Count requests, seconds and predictions, for Prometheus."""
        now = champion.now
        return Response(counts.page(now.name, now.version), media_type=CONTENT_TYPE_LATEST)


def _add_page(router: APIRouter) -> None:
    for path, file in FILES.items():

        def page(file: Any = file) -> FileResponse:
            return FileResponse(file, headers={"Content-Security-Policy": POLICY})

        router.add_api_route(path, page, include_in_schema=False)
