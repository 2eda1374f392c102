"""``python -m flowreaper`` is the command."""

from flowreaper.cli import main

if __name__ == "__main__":
    main()
