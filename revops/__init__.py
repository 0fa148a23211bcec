"""The command line and what it runs the warehouse with: server, lock, build, refresh, verify, status, menu."""
