"""`jobferry`, the command line: for whoever operates a stack. Like a function's app.py it puts the parts together."""
