"""The peers. They run in .venv-peers, which has nothing of Hepar but the model files."""
