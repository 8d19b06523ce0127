"""Collections in Milvus: items, vectors and votes in one engine that any number of machines share."""
