"""`python -m services.seller`: run this service in this process."""

from countermand.runtime.main import main
from services.seller.app import CARD

main(CARD)
