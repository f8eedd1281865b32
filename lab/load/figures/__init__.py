"""What a run's raw log amounts to: its latencies, counts and verdict (`measure`), and two runs side by side (`compare`)."""
