"""Keys and gamepads: events come in, actions and commands come out."""

from __future__ import annotations

from collections.abc import Hashable
from enum import Enum
from typing import Any

from mirage_env.actions import keys_to_action
from mirage_env.play.library import pygame

__all__ = ["HELP", "Button", "Command", "Controls"]


class Button(Enum):
    """What steers the ship."""

    LEFT = "left"
    RIGHT = "right"
    THRUST = "thrust"
    FIRE = "fire"


class Command(Enum):
    """What steers the player."""

    QUIT = "quit"
    CANCEL = "cancel"
    PAUSE = "pause"
    RESET = "reset"
    STEP = "step"
    SWITCH = "switch"
    BOTH = "both"
    KEEP = "keep"
    HELP = "help"


HELP = (
    ("Turn", "Left  Right  /  A  D"),
    ("Thrust", "Up  /  W"),
    ("Fire", "Space"),
    ("Game or dream", "Tab"),
    ("Both side by side", "B"),
    ("Pause", "P"),
    ("One tick", "N  /  ."),
    ("New game", "R"),
    ("Keep a replay", "K"),
    ("Help", "H"),
    ("Quit", "Esc  /  Q"),
    ("Gamepad", "stick or cross,  A fire,  B thrust"),
)
"""What the help says: what it does, which keys."""

BUTTON_KEYS = {
    pygame.K_LEFT: Button.LEFT,
    pygame.K_a: Button.LEFT,
    pygame.K_RIGHT: Button.RIGHT,
    pygame.K_d: Button.RIGHT,
    pygame.K_UP: Button.THRUST,
    pygame.K_w: Button.THRUST,
    pygame.K_SPACE: Button.FIRE,
}

COMMAND_KEYS = {
    pygame.K_q: Command.QUIT,
    pygame.K_ESCAPE: Command.CANCEL,
    pygame.K_p: Command.PAUSE,
    pygame.K_r: Command.RESET,
    pygame.K_n: Command.STEP,
    pygame.K_PERIOD: Command.STEP,
    pygame.K_TAB: Command.SWITCH,
    pygame.K_b: Command.BOTH,
    pygame.K_k: Command.KEEP,
    pygame.K_h: Command.HELP,
    pygame.K_F1: Command.HELP,
}

# The usual order of buttons: A B X Y, the shoulders, back, start.
PAD_BUTTONS = {0: Button.FIRE, 1: Button.THRUST, 2: Button.FIRE, 3: Button.THRUST}
PAD_COMMANDS = {4: Command.SWITCH, 5: Command.STEP, 6: Command.RESET, 7: Command.PAUSE}

AXIS_ON, AXIS_OFF = 0.5, 0.35
"""A stick presses beyond the first and lets go within the second: it does not chatter between."""


class Controls:
    """What is held down on the keyboard and on all gamepads together.

    A key that was pressed and let go between two ticks counts for the next one: a short tap is
    never lost. Of left and right the one pressed last wins.

    Attributes:
        gamepads: Names of the gamepads plugged in, by their id.
    """

    def __init__(self) -> None:
        """Nothing is held."""
        self._held: dict[tuple[Hashable, Button], None] = {}  # in the order of pressing
        self._tapped: dict[Button, None] = {}
        self._joysticks: dict[int, Any] = {}
        self.gamepads: dict[int, str] = {}

    def action(self) -> int:
        """Return the action of this tick, 0 to 11."""
        down = [*self._tapped, *(button for _, button in self._held)]
        self._tapped.clear()
        turns = [button for button in down if button in (Button.LEFT, Button.RIGHT)]
        turn = turns[-1] if turns else None
        return keys_to_action(
            turn is Button.LEFT, turn is Button.RIGHT, Button.THRUST in down, Button.FIRE in down
        )

    def feed(self, event: pygame.event.Event) -> Command | None:
        """Take an event; return the command it gives, if it gives one."""
        if event.type == pygame.KEYDOWN:
            if event.key in BUTTON_KEYS:
                self._set(("key", event.key), BUTTON_KEYS[event.key], True)
            return COMMAND_KEYS.get(event.key)
        if event.type == pygame.KEYUP and event.key in BUTTON_KEYS:
            self._set(("key", event.key), BUTTON_KEYS[event.key], False)
        elif event.type == pygame.WINDOWFOCUSLOST:
            self.release()  # the keys let go elsewhere would stay down here
        elif event.type == pygame.QUIT:
            return Command.QUIT
        else:
            return self._feed_gamepad(event)
        return None

    def _feed_gamepad(self, event: pygame.event.Event) -> Command | None:
        if event.type == pygame.JOYBUTTONDOWN:
            if event.button in PAD_BUTTONS:
                self._set(("pad", event.instance_id, event.button), PAD_BUTTONS[event.button], True)
            return PAD_COMMANDS.get(event.button)
        if event.type == pygame.JOYBUTTONUP and event.button in PAD_BUTTONS:
            self._set(("pad", event.instance_id, event.button), PAD_BUTTONS[event.button], False)
        elif event.type == pygame.JOYAXISMOTION and event.axis == 0:
            self._stick(event, Button.LEFT, -event.value)
            self._stick(event, Button.RIGHT, event.value)
        elif event.type == pygame.JOYAXISMOTION and event.axis == 1:
            self._stick(event, Button.THRUST, -event.value)
        elif event.type == pygame.JOYHATMOTION:
            source = ("pad", event.instance_id, "hat")
            self._set(source, Button.LEFT, event.value[0] < 0)
            self._set(source, Button.RIGHT, event.value[0] > 0)
            self._set(source, Button.THRUST, event.value[1] > 0)
        elif event.type == pygame.JOYDEVICEADDED:
            self._plug(event.device_index)
        elif event.type == pygame.JOYDEVICEREMOVED:
            self._unplug(event.instance_id)
        return None

    def release(self) -> None:
        """Let go of everything."""
        self._held.clear()
        self._tapped.clear()

    def _set(self, source: Hashable, button: Button, down: bool) -> None:
        if not down:
            self._held.pop((source, button), None)
        elif (source, button) not in self._held:
            self._held[source, button] = None
            self._tapped[button] = None

    def _stick(self, event: pygame.event.Event, button: Button, value: float) -> None:
        source = ("pad", event.instance_id, "axis")
        threshold = AXIS_OFF if (source, button) in self._held else AXIS_ON
        self._set(source, button, value > threshold)

    def _plug(self, device_index: int) -> None:
        try:
            joystick = pygame.joystick.Joystick(device_index)
        except pygame.error:
            return  # pulled out again before we looked
        self._joysticks[joystick.get_instance_id()] = (
            joystick  # its events stop when it is collected
        )
        self.gamepads[joystick.get_instance_id()] = joystick.get_name()

    def _unplug(self, instance_id: int) -> None:
        self._joysticks.pop(instance_id, None)
        self.gamepads.pop(instance_id, None)
        for source, button in list(self._held):
            if isinstance(source, tuple) and source[:2] == ("pad", instance_id):
                del self._held[source, button]
