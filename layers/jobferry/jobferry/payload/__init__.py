"""Jobs become what is sent: the payload, its manifest, and the problems found on the way."""
