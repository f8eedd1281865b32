"""`python -m services.order`: run this service in this process."""

from services.order.app import main

main()
