"""Whether two pictures are the same photo: hashes of whole pictures, and a second look at their pixels."""
