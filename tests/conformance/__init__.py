"""What a shared HTTP cache must do, as tables of exchanges between a client and a scripted origin."""
