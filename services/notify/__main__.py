"""`python -m services.notify`: run this service in this process."""

from services.notify.app import main

main()
