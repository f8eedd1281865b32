"""The style sheet, the modules and the icon: read once, answered from memory, kept by browsers for as long as they stay the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.web.api.shapes import unless_known

_FOLDER: Final = Path(__file__).parent.parent / "static"
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOR_GOOD: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "no-cache"


@dataclass(frozen=True, slots=True)
class StaticFiles:
    """The files of a folder under an address that changes with them, so that no browser shows a new page with an old sheet.

    Attributes:
        version: what all files together are; 12 hexadecimal digits.
        files: their bytes by name.
    """

    version: str
    files: Mapping[str, bytes]

    @classmethod
    def read(cls, folder: Path = _FOLDER) -> "StaticFiles":
        """Read all files of a folder whose type we name.

        Raises:
            OSError: one cannot be read.
        """
        files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in _TYPES}
        digest = sha256(b"".join(name.encode() + b"\0" + body for name, body in files.items()))
        return cls(digest.hexdigest()[:12], files)

    @property
    def path(self) -> str:
        """Where they are now: `/static/1f0c…`. Modules import each other from beside themselves."""
        return f"/static/{self.version}"

    def route(self) -> Route:
        """Serve them. Who asks for another version, as while several are replaced one by one, gets these and does not keep them."""
        return Route("/static/{version}/{name}", self._answer)

    async def _answer(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self.files:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        kept = _FOR_GOOD if request.path_params["version"] == self.version else _ASK_AGAIN
        headers = {"ETag": f'"{self.version}"', "Cache-Control": kept}
        return unless_known(request, self.files[name], _TYPES[Path(name).suffix], headers)
