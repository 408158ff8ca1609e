"""`python -m stepwell` is the `stepwell` command."""

from stepwell.commands.main import main

if __name__ == "__main__":
    main()
