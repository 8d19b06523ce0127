"""What people and programs touch: thin, and sharing one contract."""
