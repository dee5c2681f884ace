"""What routes stand on: the services, and a short way through the framework, on which who must be known is known before
anything of the request is parsed."""

from collections.abc import AsyncIterator
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import Depends, Request, Response
from fastapi.dependencies.utils import request_params_to_args
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.routing import request_response

from hub import clock
from hub.api.auth import Tokens
from hub.errors import BadRequest, Forbidden, HubError, Unauthenticated, Unavailable
from hub.intake import Intake
from hub.policies.gate import Gate
from hub.policies.services import Services
from hub.policies.subject import SYSTEM, Purpose

STREAMING = ("/attachments", "/photos")
"""Ends of the paths whose bodies are not read as a whole."""
AT_ONCE_SECONDS = 0.5
PURPOSES = {purpose.value: purpose for purpose in Purpose}


async def services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


async def tokens(request: Request) -> Tokens:
    found: Tokens = request.app.state.tokens
    return found


class Asked(Request):
    """What the handlers of a `ShortRoute` are given; `gate` is there where the route knows the caller."""

    gate: Gate

    @property
    def services(self) -> Services:
        found: Services = self.app.state.services
        return found

    @property
    def intake(self) -> Intake:
        found: Intake = self.app.state.intake
        return found


def utf8(header: str) -> str:
    """A header as whoever sent it without percent-encoding meant it: the framework takes all for Latin-1."""
    return header if header.isascii() else header.encode("latin-1").decode("utf-8", "replace")


async def caller(request: Request, *, asks: bool = False) -> Gate:
    """The authenticated caller, no purpose needed yet. Kept on the request so that refusals are logged.

    `asks`: the verb itself asks whether a remembered session still lives.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated
    state = request.app.state
    subject = await state.tokens.subject(token, unquote(utf8(request.headers.get("on-behalf-of", ""))), asks=asks)
    gate: Gate = Gate(state.services, subject, None)
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
    needed = "cases:read" if request.method == "GET" or request.scope["path"].endswith("/search") else "records:write"
    if subject.client_id is not None and needed not in subject.scopes:
        raise Forbidden("令牌权限不足。", "The token's scope does not allow this.", scope=needed)
    await made.admit()
    return made


class ShortRoute(APIRoute):
    """A route whose handler takes an `Asked` and gives a whole answer. Of what a report costs the process, the rest of
    the framework would be a third."""

    async def admit(self, asked: Asked) -> None:
        """Let in whoever asks."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        takes = self.dependant
        assert not (takes.dependencies or takes.body_params or takes.cookie_params), "read bodies by `bodies.parse`"
        assert not any(field.field_info.is_required() for field in takes.header_params), "say what is missing yourself"
        self.app = request_response(self._answer)

    async def _answer(self, request: Request) -> Response:
        return await self.answer(Asked(request.scope, request.receive))

    async def answer(self, asked: Asked) -> Response:
        """What FastAPI does for a handler that needs nothing of it but its parameters, without the rest of it."""
        await self.admit(asked)
        takes = self.dependant
        values: dict[str, Any] = {}
        errors: list[Any] = []
        if takes.query_params:
            values, errors = request_params_to_args(takes.query_params, asked.query_params)
        # FastAPI's own way takes 15 µs a header or part of the path: they might be lists.
        for where, fields, said in (
            ("path", takes.path_params, asked.path_params),
            ("header", takes.header_params, asked.headers),
        ):
            for field in fields:
                given = said.get(field.alias)
                if given is None:
                    values[field.name] = field.default
                else:
                    values[field.name], wrong = field.validate(given, values, loc=(where, field.alias))
                    errors += wrong
        if errors:
            raise RequestValidationError(errors)
        answer: Response = await self.endpoint(**{str(takes.request_param_name): asked}, **values)
        return answer


class CallerRoute(ShortRoute):
    """A route for whoever is authenticated."""

    async def admit(self, asked: Asked) -> None:
        asked.gate = await caller(asked)


class ReviewRoute(CallerRoute):
    """A route whose verb asks, in the one statement that it makes, whether the caller's session still lives."""

    async def admit(self, asked: Asked) -> None:
        asked.gate = await caller(asked, asks=True)

    async def answer(self, asked: Asked) -> Response:
        try:
            return await super().answer(asked)
        except (HubError, ValidationError) as error:
            entered = isinstance(error, Unavailable) or getattr(error, "entered", False)
            if entered or not hasattr(asked.state, "gate"):
                raise
            asked.app.state.tokens.sessions.forget(asked.headers["authorization"].partition(" ")[2])
            del asked.state.gate  # of a session that has ended no refusal is logged as its owner's
            return await super().answer(asked)  # as it is now, not as it was remembered


class GateRoute(CallerRoute):
    """A route that touches a case: the caller has stated a purpose that its kind may state."""

    async def admit(self, asked: Asked) -> None:
        asked.gate = await gate(asked)
        if asked.method != "GET" and not asked.scope["path"].endswith(STREAMING):
            await asked.body()
            await anew(asked)


async def anew(asked: Asked) -> None:
    """Who is asking now? What is sent came as slowly as its sender liked, perhaps for longer than he may ask."""
    if clock.ticks() - asked.gate.began > AT_ONCE_SECONDS:
        asked.gate = await gate(asked)


async def streamed(asked: Asked) -> AsyncIterator[bytes]:
    """A body that is taken as it comes; when it has come, it is asked again from whom."""
    async for piece in asked.stream():
        yield piece
    await anew(asked)


ServicesDep = Annotated[Services, Depends(services)]
TokensDep = Annotated[Tokens, Depends(tokens)]
