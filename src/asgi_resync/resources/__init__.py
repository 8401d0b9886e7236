"""What starts and stops with the app."""
