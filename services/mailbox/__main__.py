"""`python -m services.mailbox`: run the mailbox in this process."""

from services.mailbox.app import main

main()
