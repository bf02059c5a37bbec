"""Commands that inspect runs and the served data: plan, verify, explain, doctor."""
