"""The HTTP API. Each file is one topic; `problems` is how anything is refused."""
