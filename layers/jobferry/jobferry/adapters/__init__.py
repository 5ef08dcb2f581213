"""The world outside: AWS and the board. They know the domain, the domain knows none of them."""
