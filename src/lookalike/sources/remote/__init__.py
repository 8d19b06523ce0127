"""Places beyond folders: object stores and web servers, tar shards, and tables with pictures in them."""
