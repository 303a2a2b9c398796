"""What an endpoint publishes about itself: OpenAPI 3.0 and 3.1, and the swagger 2 of Azure ML, made of `request_fields`.

The three say the same in their dialects. Swagger 2 can say less: of a body it tells the form `{"requests": [...]}` alone, and no
second names of fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from globolatte_ml.data.vocabulary import DAYPARTS
from globolatte_ml.scoring.request_fields import Levels, example_of, request_schema
from globolatte_ml.scoring.score_body import MAX_BODY_BYTES, MAX_REQUESTS

API_VERSION = "1.0"
"""Of what a request and an answer hold; the first number changes when a client has to."""
JSON = "application/json"
KEY_SCHEME = "key"
DESCRIPTION = f"""What customers will order next: products ranked by probability for a customer, region, date, weather and daypart.

A body is UTF-8, at most {MAX_BODY_BYTES:,} bytes, with at most {MAX_REQUESTS:,} requests. Names of regions, weather types and dayparts
are taken in any case; blanks around a name are no part of it."""


class Dialect(StrEnum):
    """The versions in which an endpoint can be described."""

    SWAGGER_2 = "2.0"
    OPENAPI_3_0 = "3.0"
    OPENAPI_3_1 = "3.1"

    def nullable(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """The schema of something that may also be null."""
        match self:
            case Dialect.SWAGGER_2:
                return {**schema, "x-nullable": True}
            case Dialect.OPENAPI_3_0:
                return {**schema, "nullable": True}
            case Dialect.OPENAPI_3_1:
                return {**schema, "type": [schema["type"], "null"]}

    def reference(self, name: str) -> dict[str, Any]:
        """A reference to a schema of the document."""
        place = "definitions" if self is Dialect.SWAGGER_2 else "components/schemas"
        return {"$ref": f"#/{place}/{name}"}


@dataclass(frozen=True)
class Reply:
    """An answer with a status: when it is given, and which headers it may have. Everything but 200 says `{"message": ...}`."""

    description: str
    headers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Page:
    """What `GET` of a path gives without a key. `versions`: what its parameter `version` may be."""

    path: str
    operation: str
    summary: str
    schema: Mapping[str, Any]
    media_type: str = JSON
    versions: tuple[str, ...] = ()
    refusals: Mapping[int, Reply] | None = None


@dataclass(frozen=True)
class Api:
    """An endpoint.

    Attributes:
        replies: to `POST /score`, by status.
        headers: the headers of replies: what they say.
        request_headers: those that a request may have.
        pages: what there is to read.
        scheme: of its URL.
        key: where the key comes from.
    """

    replies: Mapping[int, Reply]
    headers: Mapping[str, str]
    request_headers: Mapping[str, str]
    pages: tuple[Page, ...]
    scheme: str
    key: str


def describe(api: Api, dialect: Dialect, levels: Levels) -> dict[str, Any]:
    """The document. `levels`: what fields may say; a field that is not in it is described as any text."""
    info = {"title": "GloboLatte recommendations", "version": API_VERSION, "description": DESCRIPTION}
    paths: dict[str, Any] = {"/score": {"post": _score(api, dialect)}}
    paths |= {page.path: {"get": _page(api, page, dialect)} for page in api.pages}
    if dialect is Dialect.SWAGGER_2:
        key = {
            "type": "apiKey",
            "name": "Authorization",
            "in": "header",
            "description": f"'Bearer ' and the key. {api.key}",
        }
        return {
            "swagger": "2.0",
            "info": info,
            "schemes": [api.scheme],
            "consumes": [JSON],
            "produces": [JSON],
            "securityDefinitions": {KEY_SCHEME: key},
            "paths": paths,
            "definitions": _schemas(dialect, levels),
        }
    bearer = {"type": "http", "scheme": "bearer", "description": api.key}
    return {
        "openapi": {Dialect.OPENAPI_3_0: "3.0.3", Dialect.OPENAPI_3_1: "3.1.0"}[dialect],
        "info": info,
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": _schemas(dialect, levels), "securitySchemes": {KEY_SCHEME: bearer}},
    }


def _schemas(dialect: Dialect, levels: Levels) -> dict[str, Any]:
    old = dialect is Dialect.SWAGGER_2
    several = {"type": "array", "minItems": 1, "maxItems": MAX_REQUESTS, "items": dialect.reference("Request")}
    named = {
        "type": "object",
        "properties": {"requests": several},
        "required": ["requests"],
        "additionalProperties": False,
        "example": {"requests": [example_of()]},
    }
    forms = [dialect.reference(name) for name in ("Request", "Requests")]
    return {
        "Request": request_schema(levels, dialect.nullable, synonyms=not old),
        "Requests": named,
        **({} if old else {"Body": {"anyOf": [*forms, several]}}),
        "Answers": _answers(dialect),
        "Answer": _answer(dialect),
        "RankedProduct": _record(
            {
                "rank": {"type": "integer", "minimum": 1, "description": "1 is the most probable."},
                "product_id": {"type": "string"},
                "product_name": {"type": "string"},
                "probability": {"type": "number", "minimum": 0, "maximum": 1},
            }
        ),
        "Message": _record({"message": {"type": "string", "description": "The fault and its remedy."}}),
    }


def _answers(dialect: Dialect) -> dict[str, Any]:
    return _record(
        {
            "deployment": {"type": "string", "description": "The deployment that answered."},
            "model_version": {"type": "string"},
            "state_version": {"type": "string", "description": "The customer state that the answers come from."},
            "recommendations": {
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_REQUESTS,
                "items": dialect.reference("Answer"),
                "description": "One answer to each request, in their order.",
            },
        }
    )


def _answer(dialect: Dialect) -> dict[str, Any]:
    return _record(
        {
            "prediction_id": {
                "type": "string",
                "pattern": "^pr_[0-9a-f]{20}$",
                "description": "The same question to the same model and customer state has the same id.",
            },
            "customer_id": {"type": "string"},
            "known_customer": {"type": "boolean", "description": "Whether the customer state has the customer."},
            "business_unit": {"type": "string", "description": "The business unit's id."},
            "date": {"type": "string", "format": "date"},
            "weather": {"type": "string"},
            "daypart": dialect.nullable(
                {"type": "string", "description": f"One of {', '.join(DAYPARTS)}; null for the mean over hours."}
            ),
            "products": {"type": "array", "items": dialect.reference("RankedProduct")},
        }
    )


def _record(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _score(api: Api, dialect: Dialect) -> dict[str, Any]:
    body = dialect.reference("Requests" if dialect is Dialect.SWAGGER_2 else "Body")
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "header", "required": False, "description": said, **_typed({"type": "string"}, dialect)}
        for name, said in api.request_headers.items()
    ]
    operation = {
        "operationId": "score",
        "summary": "Products that customers will like, ranked",
        "security": [{KEY_SCHEME: []}],
        "parameters": parameters,
        "responses": {
            str(status): _reply(api, reply, "Answers" if status == 200 else "Message", dialect)
            for status, reply in api.replies.items()
        },
    }
    if dialect is Dialect.SWAGGER_2:
        parameters.append({"name": "body", "in": "body", "required": True, "schema": body})
    else:
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": body, "example": example_of()}}}
    return operation


def _page(api: Api, page: Page, dialect: Dialect) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": page.operation,
        "summary": page.summary,
        "security": [],
        "responses": {
            "200": _content(page.summary, dict(page.schema), dialect, page.media_type),
            **{str(status): _reply(api, one, "Message", dialect) for status, one in (page.refusals or {}).items()},
        },
    }
    if dialect is Dialect.SWAGGER_2:
        operation["produces"] = list(dict.fromkeys([page.media_type, JSON]))
    if page.versions:
        choice = {"type": "string", "enum": list(page.versions), "default": page.versions[0]}
        operation["parameters"] = [
            {"name": "version", "in": "query", "required": False, "description": "of the format"}
            | _typed(choice, dialect)
        ]
    return operation


def _reply(api: Api, reply: Reply, schema: str, dialect: Dialect) -> dict[str, Any]:
    made = _content(reply.description, dialect.reference(schema), dialect)
    if reply.headers:
        made["headers"] = {
            name: {"description": api.headers[name], **_typed({"type": "string"}, dialect)} for name in reply.headers
        }
    return made


def _content(description: str, schema: dict[str, Any], dialect: Dialect, media_type: str = JSON) -> dict[str, Any]:
    if dialect is Dialect.SWAGGER_2:
        return {"description": description, "schema": schema}
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _typed(schema: dict[str, Any], dialect: Dialect) -> dict[str, Any]:
    """A parameter's or a header's type, which swagger 2 writes beside its name."""
    return schema if dialect is Dialect.SWAGGER_2 else {"schema": schema}


AZURE = Api(
    replies={
        200: Reply("The answers.", ("x-request-id", "azureml-model-deployment")),
        400: Reply(
            "The body is not JSON, or a field is unknown, missing or wrong; the message names it and the remedy."
        ),
        401: Reply("The key or token is missing or wrong."),
        404: Reply("There is no such deployment."),
        413: Reply(
            f"Over {MAX_REQUESTS:,} requests or {MAX_BODY_BYTES:,} bytes; split them, or use the batch endpoint."
        ),
        424: Reply("The scoring script failed."),
        429: Reply("Too many requests at once; try again later."),
        500: Reply("A fault of the service."),
        503: Reply("The service cannot take more requests; try again later."),
    },
    headers={
        "x-request-id": "The request's id: the caller's own, or one that was made.",
        "azureml-model-deployment": "The deployment that answered.",
    },
    request_headers={
        "azureml-model-deployment": "The deployment that is to answer, whatever its traffic.",
        "x-request-id": "An id for this request, which comes back with the answer.",
    },
    pages=(),
    scheme="https",
    key="The key or token of the endpoint.",
)
"""An online endpoint of Azure ML, as its deployments describe it. Its 401, 404, 424, 429 and 503 are Azure's own."""
