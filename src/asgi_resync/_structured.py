"""Structured fields (placeholder)."""
def serialize_token_or_string(text: str) -> bytes:
    return text.encode("ascii", "replace")
