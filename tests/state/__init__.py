"""The scheduler as a state machine: random histories, judged by what they leave behind."""
