"""What tests share beside fixtures: shops as rows, runs in parts, agents in processes of their own."""
