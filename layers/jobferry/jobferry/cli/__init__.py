"""`jobferry`, the command line for people who operate a stack. Like a function's app.py, it puts the parts together."""
