"""What the console answers when it does not do what was asked: problem details (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Mapping

from starlette.responses import Response


class Refused(Exception):
    """The console does not do what was asked. `status` is the one of HTTP; the texts are for the one who asked."""

    def __init__(self, status: int, title: str, detail: str) -> None:
        self.status = status
        self.title = title
        self.detail = detail
        super().__init__(f"{status} {title}: {detail}")


def problem(status: int, title: str, detail: str, *, headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem document."""
    body = json.dumps({"title": title, "status": status, "detail": detail}, ensure_ascii=False)
    return Response(body, status, headers, media_type="application/problem+json")
