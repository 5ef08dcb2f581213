"""`python -m jobferry.cli` is `jobferry`."""

from jobferry.cli.commands import main

if __name__ == "__main__":
    main()
