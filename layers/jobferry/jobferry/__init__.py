"""jobferry keeps an agency's jobs on LocumJobsOnline and its sister boards the same as in its own system."""
