"""The game, its dream or both in a browser: the page, and the server it plays on."""
