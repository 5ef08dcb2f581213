"""The board: its API, its accounts, and the callback URLs that it is given."""
