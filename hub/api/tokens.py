"""Authentication: tokens for agency systems, sessions for people."""

from typing import Annotated, Literal

import orjson
from fastapi import APIRouter, Form, Response
from pydantic import BaseModel, ConfigDict, Field

from hub import people
from hub.api.auth import TokenRefused
from hub.api.deps import Asked, CallerRoute, ServicesDep, TokensDep
from hub.audit.entry import Act
from hub.errors import BadRequest
from hub.policies.gate import Gate, nobody

router = APIRouter(tags=["认证 authentication"])
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Token(BaseModel):
    """RFC 6749 section 5.1."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    scope: str


@router.post("/oauth/token", response_model=Token)
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
        raise BadRequest("仅支持 client_credentials 与 private_key_jwt。", "Only private_key_jwt is supported.")
    try:
        made = await tokens.exchange(client_assertion, scope)
    except TokenRefused as refused:
        await nobody(services).refuse(refused, Act.login_fail)
        raise
    holder = Gate(services, await tokens.subject(made["access_token"], ""), None)
    await services.committer.commit(holder.draft(Act.login))
    return Response(orjson.dumps(made), media_type="application/json")


@router.get("/oauth/jwks")
async def jwks(tokens: TokensDep) -> dict[str, list[dict[str, str]]]:
    """联护签发令牌所用公钥。The hub's public key (RFC 7517)."""
    return {"keys": [tokens.jwk]}


class Login(BaseModel):
    model_config = ConfigDict(extra="forbid")

    login: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=200)
    code: str = Field(pattern=r"^[0-9]{6}$", description="动态码 TOTP")


class SessionOpened(BaseModel):
    token: str
    role: str
    idle_seconds: int


@router.post("/v1/sessions", status_code=201, response_model=SessionOpened)
async def open_session(services: ServicesDep, body: Login) -> Response:
    """个人登录：口令与动态码。Idle for 30 minutes, it ends."""
    if "\x00" in body.login + body.password:
        raise BadRequest
    opened = await people.login(services, body.login, body.password, body.code)
    answer = {"token": opened.token, "role": opened.role, "idle_seconds": opened.idle_seconds}
    return Response(orjson.dumps(answer), 201, media_type="application/json")


async def close_session(request: Asked) -> Response:
    """退出登录。Log out: this session ends."""
    gate = request.gate
    draft = gate.draft(Act.login)
    draft.body["ended"] = True
    await gate.services.committer.commit(draft)
    await people.logout(gate.services, request.headers["authorization"].partition(" ")[2])
    return Response(status_code=204)


router.add_api_route(
    "/v1/sessions/current", close_session, methods=["DELETE"], status_code=204, route_class_override=CallerRoute
)
