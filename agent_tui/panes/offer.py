"""The card of an offer, exactly as wide as the right column, over the end of the timeline. It never takes the focus."""

from __future__ import annotations

from agent_tui.model.runs import Line
from agent_tui.paint import Painted


class OfferCard(Painted):
    """Hidden while nothing is offered."""

    DEFAULT_CSS = """
    OfferCard { height: auto; display: none; background: $bar; }
    OfferCard.-offered { display: block; }
    """

    def show_offer(self, lines: tuple[Line, ...]) -> None:
        """The card's rows; none = put it away."""
        self.set_class(bool(lines), "-offered")
        if lines:
            self.styles.height = len(lines)
            self.show(*lines)
