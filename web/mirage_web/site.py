"""What is answered over HTTP: the page's files from a fixed table, and whom the server talks to.

The table is made once, from the package's own folder; a request is looked up in it as it came and
never becomes a path of the file system.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

from websockets.datastructures import Headers, MultipleValuesError
from websockets.http11 import Request, Response

__all__ = ["SOCKET_PATH", "Doors", "Site"]

SOCKET_PATH = "/socket"
HEALTH_PATH = "/healthz"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
"""Types of the files that are served; others in the folder are not."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src blob:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
SAFETY = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""What every answer says to browsers."""


@dataclass(frozen=True)
class Doors:
    """Whom the server talks to.

    Attributes:
        hosts: Names that it may be called by, without a port.
        origins: Origins of pages that may play here, beside that of the host they call.
    """

    hosts: frozenset[str]
    origins: frozenset[str] = frozenset()

    def knows_host(self, headers: Headers) -> bool:
        """Return whether a request is for this server: no other site's name points here."""
        try:
            host = urlsplit("//" + headers["Host"]).hostname
        except (KeyError, MultipleValuesError, ValueError):
            return False
        return host in self.hosts

    def lets_in(self, headers: Headers) -> bool:
        """Return whether a websocket may be opened: from its own page, and what is no browser."""
        try:
            origin = headers.get("Origin")
        except MultipleValuesError:
            return False
        if origin is None or origin in self.origins:
            return True
        scheme, _, place = origin.partition("://")
        return scheme in ("http", "https") and place == headers["Host"]


class Site:
    """Answers the requests that open no websocket."""

    def __init__(self, doors: Doors, health: Callable[[], tuple[bool, dict[str, Any]]]) -> None:
        """Read the page's files.

        Args:
            doors: Whom to talk to.
            health: Returns whether the server plays, and what else there is to say of it.
        """
        self._doors, self._health = doors, health
        self._table = _table(files("mirage_web").joinpath("page"))

    @property
    def paths(self) -> list[str]:
        """What there is: the page, its files."""
        return list(self._table)

    def answer(self, request: Request) -> Response | None:
        """Return the answer to a request, or None if it may open a websocket."""
        path = request.path.partition("?")[0]
        if not self._doors.knows_host(request.headers):
            return _text(HTTPStatus.MISDIRECTED_REQUEST, "this server has another name")
        if getattr(request, "method", "GET") != "GET":  # websockets 16 takes no other
            return _text(HTTPStatus.METHOD_NOT_ALLOWED, "only GET is answered", {"Allow": "GET"})
        if path == SOCKET_PATH:
            if self._doors.lets_in(request.headers):
                return None
            return _text(HTTPStatus.FORBIDDEN, "pages of this origin may not play here")
        if path == HEALTH_PATH:
            well, told = self._health()
            status = HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE
            return _response(status, json.dumps(told).encode() + b"\n", TYPES[".json"])
        if path not in self._table:
            return _text(HTTPStatus.NOT_FOUND, "there is nothing here")
        kind, tag, content = self._table[path]
        if any(tag in known for known in request.headers.get_all("If-None-Match")):
            return _response(HTTPStatus.NOT_MODIFIED, b"", kind, {"ETag": tag})
        return _response(HTTPStatus.OK, content, kind, {"ETag": tag})


def _table(folder: Traversable) -> dict[str, tuple[str, str, bytes]]:
    """Return type, tag and content of each file of a folder by the path that asks for it."""
    table = {}
    for file in folder.iterdir():
        kind = TYPES.get(PurePath(file.name).suffix)
        if kind is not None and file.is_file():
            content = file.read_bytes()
            tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
            path = "/" if file.name == "index.html" else f"/{file.name}"
            table[path] = (kind, tag, content)
    return table


def _text(status: HTTPStatus, text: str, headers: Mapping[str, str] | None = None) -> Response:
    return _response(status, f"{text}\n".encode(), TYPES[".txt"], headers)


def _response(
    status: HTTPStatus, body: bytes, kind: str, headers: Mapping[str, str] | None = None
) -> Response:
    fields = {
        "Date": formatdate(usegmt=True),
        "Connection": "close",
        "Cache-Control": "no-cache",
        "Content-Type": kind,
        "Content-Length": str(len(body)),
        **SAFETY,
        **(headers or {}),
    }
    return Response(status, status.phrase, Headers(fields), body)
