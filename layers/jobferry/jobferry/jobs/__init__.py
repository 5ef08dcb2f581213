"""A row becomes a job: the board's fields, the check, and the corrections."""
