"""`python -m loaders` is the same as `revops`."""

from revops.cli import main

if __name__ == "__main__":
    main()
