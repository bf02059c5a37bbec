"""Looking at runs and at what is served: plan, verify, explain, doctor."""
