"""Scorecards: a learned score beside the rules. What is learned is a table of points, and SQL alone adds them up."""
