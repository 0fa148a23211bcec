"""What the loaders and revops are both built on: errors, connections, queries, the tables of ops. Knows no file, no model."""
