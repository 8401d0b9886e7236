"""RFC 9111, section by section, as tables of statements."""
