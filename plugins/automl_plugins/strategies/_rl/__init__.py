"""Parts of the strategy ``rl_controller``: policies, distributions over answers, learning rules, presets, rewards."""
