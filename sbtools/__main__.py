"""`python -m sbtools`."""

from sbtools.cli import main

if __name__ == "__main__":
    main()
