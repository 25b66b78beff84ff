"""A whole bridge: its file's policy is in force, is changed while it runs, and a bad one changes nothing."""

import signal
from pathlib import Path

from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract import views as v
from broker_bridge.daemon import registry
from tests.daemon.site import Site, item
from tests.until import until

SKILLS = 'skills = ["swedish"]\n'
NEEDS = '[[queue]]\nname = "sales"\n'


async def test_a_file_that_changes_while_the_bridge_runs_is_law_and_a_bad_one_is_an_alert(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.configure()
    path = site.folder / "bridge.toml"
    good = path.read_text().replace("[desk]\n", f"[desk]\n{SKILLS}")
    await site.start()
    assert site.process is not None
    try:
        await site.enroll("sue", role="supervisor")
        path.write_text(good.replace(NEEDS, NEEDS + 'needs = ["swedish 2"]\n'))
        site.process.send_signal(signal.SIGHUP)

        async def needs() -> int:
            lines = await registry.queue_list(site.config)
            return next((one.rules.needs[0].level for one in lines if one.queue == "sales" and one.rules.needs), 0)

        await until(lambda: _is(needs, 2))
        path.write_text(good.replace(NEEDS, NEEDS + 'needs = ["swedisch 3"]\n'))
        site.process.send_signal(signal.SIGHUP)
        async with site.agent("sue") as sue:

            async def told() -> bool:
                floor = await sue.get(c.Directory(), v.DirectoryView)
                return any("there is no skill 'swedisch'" in one.text for one in floor.notices)

            await until(told)
        assert await needs() == 2
        # It takes work on, and starts again, with the bad file.
        await site.insist([item(1, "anna@example.se", "hello")])
        await site.stop()
        await site.start()
        assert "the last good policy stays in force" in site.said()
        assert await needs() == 2
        defined = [one for _, subject, one in await site.log() if subject == "cc.log.queue.sales"]
        assert [isinstance(one.facts[0], f.QueueDefined) for one in defined] == [True, True]
    finally:
        await site.stop()


async def _is(ask: object, wanted: int) -> bool:
    assert callable(ask)
    return bool(await ask() == wanted)
