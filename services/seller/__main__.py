"""`python -m services.seller`: run this service in this process."""

from services.seller.app import main

main()
