"""Real servers and made-up shops, for the demo and the tests."""
