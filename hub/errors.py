"""The named errors of the hub, each with its status and its safe public text.

An error carries words from this file only: never a stored value, never what the caller sent.
They become problem documents (RFC 9457) in one place, `hub/api/problems.py`. The last two keep a process from starting.
"""

from typing import TypeVar


class HubError(Exception):
    """Base: `status` is the HTTP status, `code` the machine word, `zh`/`en` the public text.

    `entered` is True once the access log holds the refusal.
    """

    status = 500
    code = "internal"
    zh = "系统内部错误，请稍后重试。"
    en = "Something failed inside the hub. Please try again later."

    def __init__(self, zh: str = "", en: str = "", **extra: object) -> None:
        super().__init__(self.code)
        self.zh, self.en, self.extra = zh or self.zh, en or self.en, extra
        self.entered = False


E = TypeVar("E", bound=HubError)


def entered(error: E) -> E:
    """The same, of which an entry is there already, or none can be."""
    error.entered = True
    return error


class BadRequest(HubError):
    status, code = 400, "bad_request"
    zh, en = "请求格式不正确。", "The request is malformed."


class Unauthenticated(HubError):
    """RFC 6750: no usable credential. One text for every reason."""

    status, code = 401, "unauthenticated"
    zh, en = "身份未确认，请重新认证。", "Not authenticated. Please authenticate again."


class Forbidden(HubError):
    """Refused by the shape of the request; names categories, purposes or kinds, never data."""

    status, code = 403, "forbidden"
    zh, en = "按共享规则不允许此操作。", "The sharing policy does not allow this."


class NotFound(HubError):
    """Absent, forbidden and conflict of interest all answer exactly this."""

    status, code = 404, "not_found"
    zh, en = "未找到。", "Not found."


class MethodNotAllowed(HubError):
    status, code = 405, "method_not_allowed"
    zh, en = "此地址不接受这种方法。", "This address does not take that method."


class Conflict(HubError):
    status, code = 409, "in_progress"
    zh, en = "同一请求正在处理，请稍后重试。", "The same request is being processed. Retry shortly."


class Locked(Conflict):
    """What it needs is held by a transaction that has not ended for seconds: another's, or one that stands still. It
    reads like a copy in progress: that somebody else is at work on these people is not told."""


class StaleVersion(HubError):
    status, code = 412, "stale"
    zh, en = "记录已被更新，请重新读取后再改。", "The record has changed since you read it. Read it again."


class TooLarge(HubError):
    status, code = 413, "too_large"
    zh, en = "内容过大。", "The content is too large."


class UnsupportedType(HubError):
    status, code = 415, "unsupported_type"
    zh = "不支持此文件类型；可附图片、录音、录像、PDF。"
    en = "This type of file is not accepted; pictures, sound, films and PDF are."


class Invalid(HubError):
    """One or more fields are wrong; `errors` lists pointer and reason, without the value."""

    status, code = 422, "invalid"
    zh, en = "部分内容不符合要求。", "Some fields are not acceptable."


class PreconditionRequired(HubError):
    status, code = 428, "if_match_required"
    zh, en = "修改须带 If-Match，写明所读版本的 ETag。", "A change must carry If-Match with the ETag that was read."


class Unavailable(HubError):
    """The log or the database cannot be written: nothing is released (P4)."""

    status, code = 503, "unavailable"
    zh, en = "访问日志暂不可写，数据暂不放行。", "The access log cannot be written; no data is released."


class OAuthRefused(HubError):
    """An error of the token endpoint also says what libraries look for (RFC 6749 section 5.2): `code` is its word."""

    status, code = 400, "invalid_request"
    zh, en = "请求缺少参数，或参数格式不正确。", "A parameter is missing or malformed."

    def __init__(self, zh: str = "", en: str = "") -> None:
        super().__init__(zh, en, error=self.code, error_description=en or self.en)


class TokenRefused(OAuthRefused):
    """One answer for every reason."""

    status, code = 401, "invalid_client"
    zh, en = "客户端认证失败。", "Client authentication failed."


class GrantRefused(OAuthRefused):
    code = "unsupported_grant_type"
    zh, en = (
        "仅支持 client_credentials 与 private_key_jwt。",
        "Only client_credentials with private_key_jwt is supported.",
    )


class ScopeRefused(OAuthRefused):
    code = "invalid_scope"
    zh, en = "申请的权限范围超出登记。", "The scope asked for exceeds what is registered."


class Unreachable(RuntimeError):
    """The database cannot be worked with; the text says which setting or command helps. Never the address: it holds a
    password, and where it cannot be read, what the library complains of may be a part of that. `away`: nothing is wrong
    but that it does not answer now."""

    def __init__(self, text: str, *, away: bool = False) -> None:
        super().__init__(text)
        self.away = away


class Weakened(RuntimeError):
    """The database would acknowledge what it has not kept: fsync and its kin are off somewhere."""
