"""Engines other than PostgreSQL that build the same models: chosen by REVOPS_ENGINE, imported by nothing unless it is set."""
