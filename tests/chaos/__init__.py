"""Two worker processes before one origin and one Redis, under load, while Redis is maltreated."""
