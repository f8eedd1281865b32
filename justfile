# Lists the recipes.
default:
    @just --list

# Installs everything that uv.lock names into .venv.
setup:
    uv sync

# Starts everything and plays all stories.
demo *arguments:
    uv run countermand demo {{ arguments }}

# Runs the tests, as in `just test tests/unit -k silence`.
test *arguments:
    uv run pytest {{ arguments }}

# Style, types, and who may import whom.
lint:
    uv run ruff check
    uv run ruff format --check
    uv run pyright
    uv run lint-imports

# Writes the schemas, the AsyncAPI and OpenAPI documents, the page of policies and the table of rules.
docs:
    uv run python -m countermand.contracts.schemas docs/contracts
    uv run python -m services.web.api.openapi docs/contracts/openapi.json
    uv run python -m lab.policy.page
    uv run python -m tests.mutations.rules docs/rules.md

# Breaks each rule once, on a copy, and sees that its test or story notices.
mutations *arguments:
    uv run python -m tests.mutations {{ arguments }}

# Everything that must hold before a change is done.
check: lint test
