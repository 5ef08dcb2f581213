"""How fast feeds are read, and in how much memory: `make bench`."""
