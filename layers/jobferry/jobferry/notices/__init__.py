"""What people are told: the notice, the advice in it, and the report."""
