"""The player of `mirage play`: the game and its dream in a window, or written to a video.

Read `session` first: it is the whole player without a picture or a key. `worlds` are what it plays,
`controls` turn keys and gamepads into actions, `view` draws a session, `app` runs it in a window, `demo` plays by
itself, and `record` writes what it plays to a file.
"""

from mirage_env.play.session import Playable, Session

__all__ = ["Playable", "Session"]
