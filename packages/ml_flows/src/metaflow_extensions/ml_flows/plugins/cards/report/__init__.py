"""The ML team's card: Metaflow's blank one, drawn once, when its step has ended.

Metaflow draws a card that may change while its step runs twice, and each time starts a Python
that imports the flow: 1.3 s of the step. Nobody watches a report grow.
"""

from metaflow.plugins.cards.card_modules.basic import BlankCard


class ReportCard(BlankCard):
    """As `blank`, without what shows a card before its step has ended."""

    type = "report"
    RUNTIME_UPDATABLE = False


CARDS = [ReportCard]
