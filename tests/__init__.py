"""The tests. A package, so that they find `tests.events`."""
