"""One run of a feed: what starts it, its preparation, and its submission."""
