"""`python -m services.dispute`: run this service in this process."""

from services.dispute.app import main

main()
