"""What is shown on a terminal: the menu, progress, summaries, log lines and errors."""
