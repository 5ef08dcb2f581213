"""The board: its client, the meaning of its answers, the job import object, accounts and callback URLs."""
