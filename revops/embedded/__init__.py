"""The embedded PostgreSQL server: its cluster, its process, its account, its settings."""
