"""`python -m services.mailbox`."""

import asyncio
import sys

from pydantic import ValidationError

from countermand.runtime import log
from countermand.runtime.main import CONFIGURATION_ERROR
from countermand.runtime.settings import ConfigurationError, explain, load_settings
from services.mailbox.app import MailboxSettings, run


def main() -> None:
    """Run the mailbox until it is told to stop; exits with 2 and one line if its configuration cannot be."""
    try:
        common = load_settings()
        log.configure("mailbox", common.log_level, common.log_format)
        asyncio.run(run(MailboxSettings()))
    except ValidationError as error:
        _give_up(explain(error))
    except (ConfigurationError, OSError) as error:
        _give_up(str(error))


def _give_up(why: str) -> None:
    sys.stderr.write(f"mailbox: {why}\n")
    sys.exit(CONFIGURATION_ERROR)


if __name__ == "__main__":
    main()
