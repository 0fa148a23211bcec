"""What the loaders and revops both stand on: errors, connection strings, connections, the run lock. Knows no file, no model."""
