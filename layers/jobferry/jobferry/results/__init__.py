"""How an import ends: callbacks, polling, settlement, and feeds that are overdue."""
