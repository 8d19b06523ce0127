"""Where items and vectors are kept and searched: one small protocol, and the engine of this machine."""
