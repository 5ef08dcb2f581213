"""A feed: its settings, its objects in S3, and the rows in them."""
