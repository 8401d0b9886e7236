"""The same small API in eight frameworks, wrapped in one line, asked for caching in four ways, and served for real."""
