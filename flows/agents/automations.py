"""What Prefect's server does by itself: end runs whose machine is lost, and tell people."""

from datetime import timedelta

from prefect.automations import Automation
from prefect.blocks.notifications import SlackWebhook
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, SendNotification
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from slimderm.components.common.errors import ParameterError

SILENT_SECONDS = 120
WATCH = "a run that gives no sign of life has crashed"
FAILED = "tell that a run failed or crashed"
LATE = "tell that a run is late or a pool has no worker"

BLOCK = "slimderm-notify"  # the block that holds the address
COMPARED = ("trigger", "actions", "enabled")
NOWHERE = "json://127.0.0.1/set-your-own-address"
SUBJECT = "SlimDerm: {{ event.resource.name }}"
BODY = """\
{{ event.event }}: {{ event.resource.name }}
{{ event.resource['prefect.state-message'] or '' }}
{{ flow_run|ui_url if flow_run else '' }}"""


def automate(notify: str | None = None) -> None:
    """Make the automations known to the server, once each; what they had counted is kept.

    Those that tell people are off until an address is given, here or in Prefect's page. What was
    set there is kept: the address, the switch, and the action.

    Parameters
    ----------
    notify : str, optional
        Where people are told, as Apprise writes addresses: Slack's own webhook,
        ``jsons://host/path``, ``mailtos://host?user=...&pass=...``.

    Raises
    ------
    ParameterError
        If it is no address that Apprise knows.
    """
    action = _action(notify)
    _make_known(_lost_runs())
    for wanted in (_failures(action), _lateness(action)):
        _make_known(wanted, tells=True, switch_on=notify is not None)


def _lost_runs() -> Automation:
    """Have a run marked as crashed that sends no heartbeat for `SILENT_SECONDS`.

    A run sends one every `HEARTBEAT_SECONDS` of `deployments` once it is running, and reports its
    own end. A run that a worker has taken must start within the same time.
    """
    return Automation(
        name=WATCH,
        description=f"No sign of life for {SILENT_SECONDS} s; the pipeline sends the job again.",
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat", "prefect.flow-run.Pending"},
            expect={"prefect.flow-run.*"},  # a heartbeat or a state, whichever
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=SILENT_SECONDS),
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                message=f"no sign of life for {SILENT_SECONDS} s: its process or machine is lost",
            )
        ],
    )


def _failures(action: SendNotification) -> Automation:
    """Have people told of a run of a deployment that did not end well; its stages are not told."""
    return Automation(
        name=FAILED,
        description=f"To the address in the block {BLOCK}; off until there is one.",
        enabled=False,
        trigger=EventTrigger(
            expect={f"prefect.flow-run.{name}" for name in ("Failed", "Crashed", "TimedOut")},
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            match_related=ResourceSpecification({"prefect.resource.role": "deployment"}),
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(0),
        ),
        actions=[action],
    )


def _lateness(action: SendNotification) -> Automation:
    """Have people told that work waits: no worker took a run in time, or none is there."""
    return Automation(
        name=LATE,
        description=f"To the address in the block {BLOCK}; off until there is one.",
        enabled=False,
        trigger=EventTrigger(
            expect={"prefect.flow-run.Late", "prefect.work-pool.not-ready"},
            match=ResourceSpecification(
                {"prefect.resource.id": ["prefect.flow-run.*", "prefect.work-pool.*"]}
            ),
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(0),
        ),
        actions=[action],
    )


def _action(notify: str | None) -> SendNotification:
    """Return the action that tells people, at the address given, or the one that is kept."""
    from apprise import Apprise

    if notify is not None and not Apprise().add(notify):
        raise ParameterError(
            f"notify: received {notify.partition(':')[0]}:..., expected an address that Apprise "
            "knows, such as jsons://host/path, mailtos://host?user=...&pass=... or Slack's webhook"
        )
    try:
        block = SlackWebhook.load(BLOCK)
        kept = block._block_document_id
    except ValueError:  # the first time
        kept = None
    if kept is None or notify is not None:
        # Of Prefect's kinds the one whose address may be of any kind that Apprise knows.
        kept = SlackWebhook(url=notify or NOWHERE).save(BLOCK, overwrite=True)
    return SendNotification(block_document_id=kept, subject=SUBJECT, body=BODY)


def _make_known(wanted: Automation, *, tells: bool = False, switch_on: bool = False) -> None:
    """Create an automation, or update one that differs: an update forgets what it is counting."""
    try:
        found = Automation.read(name=wanted.name)
    except ValueError:  # the first time
        wanted.enabled = wanted.enabled or switch_on
        wanted.create()
        return
    wanted.id, wanted.enabled = found.id, found.enabled or switch_on
    if tells and not switch_on:
        wanted.actions = found.actions
    if any(getattr(found, name) != getattr(wanted, name) for name in COMPARED):
        wanted.update()
