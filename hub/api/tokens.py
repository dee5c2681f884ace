"""Authentication: tokens for agency systems, sessions for people."""

from collections.abc import Callable, Coroutine
from dataclasses import asdict
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Form, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel

from hub import people
from hub.api import bodies
from hub.api.deps import Asked, CallerRoute, ServicesDep, TokensDep
from hub.audit.entry import Act
from hub.errors import GrantRefused, NotFound, OAuthRefused
from hub.policies.gate import Gate, nobody

router = APIRouter(tags=["认证 authentication"])
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Token(BaseModel):
    """RFC 6749 section 5.1."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    scope: str


class TokenRoute(APIRoute):
    """What FastAPI finds wrong with a form is an `invalid_request` here."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        ordinary = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await ordinary(request)
            except RequestValidationError:
                raise OAuthRefused from None

        return handler


async def token(
    services: ServicesDep,
    tokens: TokensDep,
    grant_type: Annotated[str, Form(max_length=100)],
    client_assertion: Annotated[str, Form(max_length=8192)],
    client_assertion_type: Annotated[str, Form(max_length=100)],
    scope: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """领取令牌：client_credentials 与 private_key_jwt（ES256）。Five minutes, bound to the client's key."""
    if grant_type != "client_credentials" or client_assertion_type != ASSERTION_TYPE:
        raise GrantRefused
    try:
        made = await tokens.exchange(client_assertion, scope)
    except OAuthRefused as refused:
        await nobody(services).refuse(refused, Act.login_fail)
        raise
    holder = Gate(services, await tokens.subject(made["access_token"], ""), None)
    await services.committer.commit(holder.draft(Act.login))
    return bodies.json_response(orjson.dumps(made))


router.add_api_route("/oauth/token", token, methods=["POST"], response_model=Token, route_class_override=TokenRoute)


@router.get("/oauth/jwks")
async def jwks(tokens: TokensDep) -> dict[str, list[dict[str, str]]]:
    """联护签发令牌所用公钥。The hub's public key (RFC 7517)."""
    return {"keys": [tokens.jwk]}


class SessionOpened(BaseModel):
    token: str
    role: str
    idle_seconds: int
    longest_seconds: int


@router.post(
    "/v1/sessions", status_code=201, response_model=SessionOpened, openapi_extra=bodies.described(people.Login)
)
async def open_session(services: ServicesDep, request: Request) -> Response:
    """个人登录：口令与动态码。It ends after 30 idle minutes, and after twelve hours."""
    body, _ = await bodies.parse(request, people.Login)
    opened = await people.login(services, body.login, body.password, body.code)
    return bodies.json_response(orjson.dumps(asdict(opened)), 201)


async def close_session(request: Asked) -> Response:
    """退出登录。Log out: this session ends."""
    gate = request.gate
    if not gate.subject.session:
        raise NotFound("令牌不是登录会话，到期自行失效。", "A token is no session; it ends by itself.")
    draft = gate.draft(Act.login)
    draft.body["ended"] = True
    await gate.services.committer.commit(draft)
    await people.logout(gate.services, request.headers["authorization"].partition(" ")[2])
    return Response(status_code=204)


router.add_api_route(
    "/v1/sessions/current", close_session, methods=["DELETE"], status_code=204, route_class_override=CallerRoute
)
