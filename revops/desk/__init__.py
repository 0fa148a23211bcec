"""The schema desk: what investigators decide on alerts, in a table to which rows are only added, through one function."""
