"""When an import may delete postings."""
