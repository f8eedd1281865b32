"""Options that several commands have, each written once."""

import os
from pathlib import Path
from typing import Annotated

import typer


def _writable(path: Path | None) -> Path | None:
    """Find out before minutes of playing, not after them."""
    if path is not None and (path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK)):
        msg = f"{path} cannot be written"
        raise typer.BadParameter(msg)
    return path


Nats = Annotated[str, typer.Option("--nats", envvar="NATS_URL", help="a running system")]
JsonPath = Annotated[Path | None, typer.Option("--json", callback=_writable, help="write the result here")]
HtmlPath = Annotated[Path | None, typer.Option("--html", callback=_writable, help="write the report's page here too")]
