"""The examples and the demo do what their texts say."""
