"""Settings for an export that jobferry has never seen, proposed from its names and values."""
