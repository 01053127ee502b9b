"""The command line: each command speaks to the HTTP API, of a running service or of a stopped one opened in place."""
