"""The way in: what lies at paths becomes items, for photos and for texts."""
