"""The API's description as a file: `python -m services.web.api.openapi docs/contracts/openapi.json`."""

import json
import sys
from pathlib import Path
from typing import Final

from services.web.api.application import documented_api

REGENERATE: Final = "uv run python -m services.web.api.openapi docs/contracts/openapi.json"


def text() -> str:
    """The OpenAPI 3.1 document, the same at every run."""
    return json.dumps(documented_api().openapi(), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the document into the file named."""
    if len(sys.argv) != 2:  # noqa: PLR2004  # The program and the file.
        sys.stderr.write(f"usage: {REGENERATE}\n")
        sys.exit(2)
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
