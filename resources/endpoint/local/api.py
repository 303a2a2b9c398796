"""What the gateway publishes about itself at `/openapi.json` and `/swagger.json`: documents that are made once for each set of levels.

Those in `REPLIES` are the gateway's and its deployments' answers. The HTTP library itself answers 400, in plain text, what is not HTTP.
"""

import json
from collections.abc import Mapping
from functools import lru_cache

from globolatte_ml.scoring.api_document import Api, Dialect, Page, Reply, describe
from globolatte_ml.scoring.score_body import MAX_REQUESTS
from resources.endpoint.endpoint import DEPLOYMENT_HEADER
from resources.endpoint.local import metrics
from resources.endpoint.local.bodies import MAX_BODY_BYTES

REQUEST_ID, RETRY_AFTER = "x-request-id", "retry-after"
LONGEST_REQUEST_ID = 100
EVERY = (REQUEST_ID, "server")
FAULT = Reply("A fault of the gateway; its log names the request id.", EVERY)
OTHER_METHOD = Reply("Another method than those that `allow` names.", (*EVERY, "allow"))
OPENAPI, SWAGGER = "/openapi.json", "/swagger.json"
VERSIONS = {
    "2": Dialect.SWAGGER_2,
    "2.0": Dialect.SWAGGER_2,
    "3": Dialect.OPENAPI_3_0,
    "3.0": Dialect.OPENAPI_3_0,
    "3.1": Dialect.OPENAPI_3_1,
}
"""What `?version=` of `/swagger.json` may say, as on Azure's server; the first is the default."""
REPLIES = {
    200: Reply("The answers.", (*EVERY, DEPLOYMENT_HEADER, "x-ms-run-fn-exec-ms")),
    400: Reply(
        "The body is not JSON, is broken off or not gzip as it says; or a field is unknown, missing or wrong, which the message names.",
        EVERY,
    ),
    401: Reply("The key is missing or wrong.", (*EVERY, "www-authenticate")),
    404: Reply(f"There is no deployment of the name in `{DEPLOYMENT_HEADER}`.", EVERY),
    405: OTHER_METHOD,
    408: Reply("Headers or body took too long.", EVERY),
    413: Reply(
        f"Over {MAX_REQUESTS:,} requests, or a body of over {MAX_BODY_BYTES:,} bytes, as sent or inflated.", EVERY
    ),
    415: Reply("A content-encoding other than gzip or identity.", (*EVERY, "accept-encoding")),
    417: Reply("An `expect` other than 100-continue.", EVERY),
    431: Reply("The headers are too large."),
    500: FAULT,
    501: Reply("A transfer-encoding other than chunked.", EVERY),
    503: Reply("No deployment is healthy, or there are too many requests at once.", (*EVERY, RETRY_AFTER)),
    504: Reply("The deployment gave no answer in time.", (*EVERY, RETRY_AFTER)),
}
_REFUSALS = {405: OTHER_METHOD, 500: FAULT}
_OBJECT = {"type": "object"}
GATEWAY = Api(
    replies=REPLIES,
    headers={
        REQUEST_ID: "The request's id: the caller's own, or one that was made.",
        "server": "The program that answers.",
        DEPLOYMENT_HEADER: "The deployment that answered.",
        "x-ms-run-fn-exec-ms": "How long scoring took, in milliseconds.",
        "www-authenticate": "The scheme: Bearer.",
        "allow": "The methods that there are.",
        "accept-encoding": "The content encodings that are taken.",
        RETRY_AFTER: "After how many seconds to try again.",
    },
    request_headers={
        DEPLOYMENT_HEADER: "The deployment that is to answer, whatever its traffic.",
        REQUEST_ID: f"An id for this request of up to {LONGEST_REQUEST_ID} printable ASCII characters; any other is replaced.",
    },
    pages=(
        Page("/health", "health", "What serves, and how it does.", _OBJECT, refusals=_REFUSALS),
        Page(
            "/metrics",
            "metrics",
            "Numbers in Prometheus' text format.",
            {"type": "string"},
            metrics.CONTENT_TYPE.partition(";")[0],
            refusals=_REFUSALS,
        ),
        Page(OPENAPI, "openapi", "This API as OpenAPI 3.0.", _OBJECT, refusals=_REFUSALS),
        Page(
            SWAGGER,
            "swagger",
            "This API as swagger 2, or as OpenAPI, as on Azure ML.",
            _OBJECT,
            versions=tuple(VERSIONS),
            refusals={404: Reply("There is no such version.", EVERY), **_REFUSALS},
        ),
    ),
    scheme="http",
    key="The endpoint's key; after a rotation the one before is good for a day. A body may be packed: `content-encoding: gzip`.",
)


def documents(levels: Mapping[str, tuple[str, ...]]) -> Mapping[Dialect, bytes]:
    """The documents, ready to send. `levels`: what fields may say."""
    return _documents(tuple(levels.items()))


@lru_cache(maxsize=4)
def _documents(levels: tuple[tuple[str, tuple[str, ...]], ...]) -> Mapping[Dialect, bytes]:
    return {dialect: json.dumps(describe(GATEWAY, dialect, dict(levels))).encode() for dialect in Dialect}
