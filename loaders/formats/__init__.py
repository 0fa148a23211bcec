"""From the bytes of a file to checked rows: archives, CSV, JSON and Parquet. Knows no database."""
