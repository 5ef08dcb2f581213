"""The formats of a feed's objects, a module each."""
