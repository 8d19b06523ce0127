"""Whether the answers are good: recall of an index, quality on labels, comparisons, votes."""
