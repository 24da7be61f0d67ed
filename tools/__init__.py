"""What takes a fresh machine from a clone to working commands, and what checks the project."""
