"""Getting bytes in: the published files, checked and with card data protected, into PostgreSQL's raw schema."""
