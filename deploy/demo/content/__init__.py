"""The demo's mail: how letters, pictures and documents are made, and the texts of all of it."""
