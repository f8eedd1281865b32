"""The files of an installation's users: a password each for those who connect, and hashes of them for the server."""

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import bcrypt

from countermand.runtime.permissions import Permissions
from countermand.runtime.settings import ConfigurationError

PASSWORD: Final = "password"  # noqa: S105  # A file's name.
TOKEN: Final = "token"  # noqa: S105  # So is this.
"""What an operator shows to the pages, in the folder of the user `web`."""

WEB: Final = "web"

SERVER: Final = "nats"
"""The folder with what the server includes; it holds no password of a user."""

_SECRET_BYTES: Final = 32
_ROUNDS: Final = 4
"""The fewest there are: a hash is to be slow where a password can be guessed, and 256 random bits cannot. The server
compares at each connect."""

_ROUTE: Final = "route"
"""Who the nodes of a cluster are to each other."""

_ROUTE_PORT: Final = 6222


@dataclass(frozen=True, slots=True)
class Server:
    """What else the server is to be told.

    Attributes:
        routes: the hosts of the nodes of a cluster; none for a single server.
        tls: the folder, as the server sees it, with `certificate.pem`, `key.pem` and `ca.pem`; empty for none.
    """

    routes: Sequence[str] = ()
    tls: str = ""


ALONE: Final = Server()


def write(folder: Path, users: Mapping[str, Permissions], server: Server = ALONE) -> list[str]:
    """Write `<folder>/<user>/password` where it is missing, and `<folder>/nats/generated.conf` anew. The users that are new.

    Beside web's password lies the token of its operators.

    Args:
        folder: each user's part may be a volume of its own.
        users: by name, what each may do.

    Raises:
        ConfigurationError: something cannot be written.
    """
    try:
        new = [
            user for user in (*users, *([_ROUTE] if server.routes else [])) if _make_secret(folder / user / PASSWORD)
        ]
        if WEB in users:
            _make_secret(folder / WEB / TOKEN)
        document: dict[str, Any] = {"authorization": {"users": _listed(folder, users)}}
        if server.tls:
            document["tls"] = _certificate(server.tls)
        if server.routes:
            document["cluster"] = _cluster(_password(folder, _ROUTE), server)
        _put(folder / SERVER / "generated.conf", _as_configuration(document))
    except OSError as error:
        msg = f"{error.filename}: {error.strerror}"
        raise ConfigurationError(msg) from error
    return new


def _listed(folder: Path, users: Mapping[str, Permissions]) -> list[dict[str, Any]]:
    return [
        {"user": user, "password": _hash(_password(folder, user)), "permissions": may.document()}
        for user, may in users.items()
    ]


def _cluster(password: str, server: Server) -> dict[str, Any]:
    cluster: dict[str, Any] = {
        "name": "countermand",
        "port": _ROUTE_PORT,
        "authorization": {"user": _ROUTE, "password": password},
        "routes": [f"nats://{_ROUTE}:{password}@{node}:{_ROUTE_PORT}" for node in server.routes],
    }
    if server.tls:  # A node shows its certificate both as a server and as a client.
        cluster["tls"] = {**_certificate(server.tls), "ca_file": f"{server.tls}/ca.pem"}
    return cluster


def _certificate(folder: str) -> dict[str, Any]:
    return {"cert_file": f"{folder}/certificate.pem", "key_file": f"{folder}/key.pem"}


def _as_configuration(document: dict[str, Any]) -> str:
    """JSON's members are nats-server's settings; without the outer braces it can be included."""
    return "".join(f"{json.dumps(key)}: {json.dumps(value, indent=2)}\n" for key, value in document.items())


def _make_secret(path: Path) -> bool:
    if path.exists():
        return False
    _put(path, secrets.token_hex(_SECRET_BYTES))
    return True


def _password(folder: Path, user: str) -> str:
    return (folder / user / PASSWORD).read_text().strip()


def _hash(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(_ROUNDS, prefix=b"2a")).decode()


def _put(path: Path, text: str) -> None:
    """Whole or not at all, and readable by nobody else."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)
