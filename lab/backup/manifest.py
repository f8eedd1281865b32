"""The list of what a backup holds. It is written last: a folder without it is no backup."""

import json
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from countermand.runtime.settings import ConfigurationError, explain
from lab.backup.wire import sha256_of

SCHEMA: Final = "https://countermand.example/schemas/backup.v1.json"

_NAME: Final = "manifest.json"


class Saved(BaseModel):
    """One stream: its file beside the manifest, and what the server needs to make it again."""

    model_config = ConfigDict(frozen=True)

    stream: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    bytes: int
    sha256: str
    config: dict[str, Any]
    state: dict[str, Any]

    @property
    def file(self) -> str:
        """Its file's name."""
        return f"{self.stream}.snapshot"

    @property
    def messages(self) -> int:
        """How many it holds."""
        return self.state["messages"]


class Manifest(BaseModel):
    """What a backup holds."""

    model_config = ConfigDict(frozen=True)

    made_at: str
    server: str
    streams: tuple[Saved, ...]

    def write(self, folder: Path) -> None:
        """Put it beside the files."""
        document = {"schema": SCHEMA} | self.model_dump()
        (folder / _NAME).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """Read a backup's manifest and compare every file with it.

    Raises:
        ConfigurationError: there is none, or a file is missing or not what was written.
    """
    path = folder / _NAME
    try:
        manifest = Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"{folder} is no backup: {path} cannot be read ({error.strerror})"
        raise ConfigurationError(msg) from error
    except ValidationError as error:
        msg = f"{path}: {explain(error)}"
        raise ConfigurationError(msg) from error
    for saved in manifest.streams:
        file = folder / saved.file
        if not file.is_file():
            msg = f"{folder} lacks {saved.file}"
            raise ConfigurationError(msg)
        if file.stat().st_size != saved.bytes or sha256_of(file) != saved.sha256:
            msg = f"{file} is damaged: it is not what the manifest says"
            raise ConfigurationError(msg)
    return manifest
