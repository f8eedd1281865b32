"""`python -m services.web`: run this service in this process."""

from services.web.app import main

main()
