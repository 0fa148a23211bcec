"""What SQLMesh calls around its own work, to keep keys, indexes and materialized views as declared."""
