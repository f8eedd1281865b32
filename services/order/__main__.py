"""`python -m services.order`: run this service in this process."""

from countermand.runtime.main import main
from services.order.app import CARD

main(CARD)
