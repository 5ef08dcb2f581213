"""What a person should do about an import that has ended: what it is about, the steps, and the commands to paste."""
