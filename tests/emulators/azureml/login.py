"""Microsoft Entra, as far as a service principal needs it: discovery and tokens. Any other way to log in is not modelled."""

import secrets
import time
import uuid
from urllib.parse import parse_qs

import jwt

from tests.emulators.azureml.calls import Answer, Call, Refused
from tests.emulators.azureml.network import LOGIN
from tests.emulators.azureml.routes import route

ALGORITHM = "HS256"
EXPIRED = "The access token expiry UTC time is earlier than current UTC time."


class Tenant:
    """One tenant with one service principal; its secret and the key that signs tokens are made at run time."""

    def __init__(self) -> None:
        self.tenant_id, self.client_id, self.object_id = (str(uuid.uuid4()) for _ in range(3))
        self.secret, self._key = secrets.token_urlsafe(24), secrets.token_bytes(32)

    def token(self, audience: str, seconds: int) -> str:
        """A signed token for an audience."""
        now = int(time.time())
        claims = {
            "aud": audience, "iss": f"https://sts.windows.net/{self.tenant_id}/", "iat": now, "nbf": now - 5,
            "exp": now + seconds, "tid": self.tenant_id, "oid": self.object_id, "appid": self.client_id, "ver": "1.0",
        }  # fmt: skip
        return jwt.encode(claims, self._key, ALGORITHM)

    def check(self, headers: dict[str, str], audience: str | None = None) -> None:
        """Raises `Refused` unless a request carries a good token of this tenant, and for `audience` if one is given."""
        kind, _, token = headers.get("authorization", "").partition(" ")
        challenge = {"WWW-Authenticate": f'Bearer authorization_uri="https://{LOGIN}/{self.tenant_id}"'}
        if kind.lower() != "bearer":
            message = "Authentication failed. The 'Authorization' header is missing."
            raise Refused(401, "AuthenticationFailed", message, challenge)
        try:
            jwt.decode(token, self._key, [ALGORITHM], audience=audience, options={"verify_aud": audience is not None})
        except jwt.ExpiredSignatureError:
            raise Refused(401, "ExpiredAuthenticationToken", EXPIRED, challenge) from None
        except jwt.InvalidTokenError as error:
            raise Refused(
                401, "InvalidAuthenticationToken", f"The access token is invalid: {error}", challenge
            ) from error


@route("GET", LOGIN + "/common/discovery/instance", open_to_all=True)
def instance_discovery(call: Call) -> Answer:
    """Which hosts log in to this cloud."""
    tenant = call.world.tenant.tenant_id
    names = {"preferred_network": LOGIN, "preferred_cache": "login.windows.net", "aliases": [LOGIN]}
    return Answer(
        200, {"tenant_discovery_endpoint": _configuration_url(tenant), "api-version": "1.1", "metadata": [names]}
    )


@route("GET", LOGIN + "/{tenant}/v2.0/.well-known/openid-configuration", open_to_all=True)
def openid_configuration(call: Call) -> Answer:
    """Where a tenant gives out tokens."""
    base = f"https://{LOGIN}/{call.names['tenant']}"
    return Answer(
        200,
        {
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "issuer": f"{base}/v2.0",
            "tenant_region_scope": "EU",
        },
    )


@route("POST", LOGIN + "/{tenant}/oauth2/v2.0/token", open_to_all=True)
def token(call: Call) -> Answer:
    """A token for a service principal's secret."""
    form = {name: values[0] for name, values in parse_qs(call.raw.decode()).items()}
    tenant = call.world.tenant
    if form.get("grant_type") != "client_credentials":
        return _denied("unsupported_grant_type", "AADSTS70003: only client_credentials is modelled")
    if call.names["tenant"] != tenant.tenant_id or form.get("client_id") != tenant.client_id:
        return _denied("unauthorized_client", "AADSTS700016: Application was not found in the directory")
    if form.get("client_secret") != tenant.secret:
        return _denied("invalid_client", "AADSTS7000215: Invalid client secret provided")
    audience = form["scope"].split()[0].removesuffix("/.default").rstrip("/")
    seconds = call.world.faults.token_seconds
    given = {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds}
    return Answer(200, {**given, "access_token": tenant.token(audience, seconds)})


def _denied(error: str, description: str) -> Answer:
    return Answer(401, {"error": error, "error_description": description, "error_codes": []})


def _configuration_url(tenant: str) -> str:
    return f"https://{LOGIN}/{tenant}/v2.0/.well-known/openid-configuration"
