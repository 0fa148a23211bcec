"""What the loaders and revops both stand on: errors, connection strings, connections. Knows no file, no model."""
