"""The notebook face: a widget to look around in a collection."""
