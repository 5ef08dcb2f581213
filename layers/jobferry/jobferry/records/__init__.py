"""What is known: the records of imports and feeds, and what may happen to them."""
