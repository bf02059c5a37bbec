"""The audit: ledger, control totals, proof and guards; shares no code with the stages it checks."""
