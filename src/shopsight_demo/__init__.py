"""What the demo and the tests need beside the product: real servers, and made-up shops."""
