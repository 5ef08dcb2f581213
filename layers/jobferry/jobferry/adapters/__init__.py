"""The outside world: AWS and the board. Adapters know the domain; the domain does not know them."""
