"""The shared metadata service: Flask over Postgres, with the HTTP API that workflow clients already speak."""
