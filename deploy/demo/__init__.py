"""The demo's own mail server and the people who live on it; production code never imports this package."""
