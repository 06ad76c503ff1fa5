"""Run the command line as `python -m weft`, for where no script folder is on the path."""

from weft.apps.cli import main

if __name__ == "__main__":
    main()
