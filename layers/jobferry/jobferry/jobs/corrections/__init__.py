"""Corrections of values as people's exports write them. Each module has the rules for one kind of field."""
