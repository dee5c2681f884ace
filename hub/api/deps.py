"""What routes depend on: the services, and the `Gate` of an authenticated caller."""

from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, Request

from hub.api.auth import Tokens
from hub.errors import BadRequest, Forbidden, Unauthenticated
from hub.intake import Intake
from hub.policies.gate import Gate
from hub.policies.services import Services
from hub.policies.subject import SYSTEM, Purpose

PURPOSES = {purpose.value: purpose for purpose in Purpose}


def services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


def tokens(request: Request) -> Tokens:
    found: Tokens = request.app.state.tokens
    return found


def intake(request: Request) -> Intake:
    found: Intake = request.app.state.intake
    return found


async def caller(request: Request) -> Gate:
    """The authenticated caller, no purpose needed yet. Kept on the request so that refusals are logged."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated
    subject = await tokens(request).subject(token, unquote(request.headers.get("on-behalf-of", "")))
    gate = Gate(services(request), subject, None)
    request.state.gate = gate
    return gate


async def gate(request: Request) -> Gate:
    """The gate for anything that touches a case: `Purpose-Of-Use` stated, and open to this caller."""
    made = await caller(request)
    stated = request.headers.get("purpose-of-use", "")
    if not stated:
        raise BadRequest("须以 Purpose-Of-Use 说明目的。", "Purpose-Of-Use must state a purpose.")
    try:
        made.purpose = PURPOSES[stated]
    except KeyError:
        raise BadRequest("未知的目的。", "Unknown purpose.", allowed=[p.value for p in Purpose]) from None
    subject = made.subject
    if subject.role == SYSTEM and made.purpose is not Purpose.sync:
        raise Forbidden(
            "系统须以 On-Behalf-Of 指明经办人。", "A system must name the person it acts for in On-Behalf-Of."
        )
    needed = "cases:read" if request.method == "GET" or request.url.path.endswith("/search") else "records:write"
    if subject.client_id is not None and needed not in subject.scopes:
        raise Forbidden("令牌权限不足。", "The token's scope does not allow this.", scope=needed)
    await made.admit()
    return made


CallerDep = Annotated[Gate, Depends(caller, scope="function")]
GateDep = Annotated[Gate, Depends(gate, scope="function")]
ServicesDep = Annotated[Services, Depends(services)]
TokensDep = Annotated[Tokens, Depends(tokens)]
IntakeDep = Annotated[Intake, Depends(intake)]
