"""`python -m metadata_service`."""

from metadata_service.main import main

if __name__ == "__main__":
    main()
