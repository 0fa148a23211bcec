"""What is out of date: changes, evaluations, what each model reads and what its rows are to be; notes it, evaluates nothing."""
