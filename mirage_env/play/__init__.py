"""The player of `mirage play`: the game and its dream in a window, or written to a video.

Read `session` first: it is the whole player without a picture or a key. `worlds` are what it plays,
`controls` turn keys and gamepads into actions, `view` draws a session (where things are says
`layout`, how letters look says `ink`), `app` runs it in a window, `demo` plays by itself, `record`
writes what is played to a video, and `start` puts all of this together for the command line.
"""

from mirage_env.play.session import Playable, Session

__all__ = ["Playable", "Session"]
