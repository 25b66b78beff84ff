"""The page, the widget's script, uploads and downloads over real HTTP."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from broker_bridge.channels.webchat.pages import Pages
from broker_bridge.channels.webchat.settings import ChatSettings
from tests.channels.webchat.site import SHOP, Site, Tab, tab_at

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100


async def permission(tab: Tab, name: str) -> str:
    await tab.send(t="file", id="upload-01", name=name)
    token: str = (await tab.next("upload"))["token"]
    return token


async def upload(site: Site, token: str, data: bytes, **headers: str) -> httpx.Response:
    all_headers = {"Origin": site.url, "X-Upload-Token": token, "Content-Type": "image/png", "X-File-Name": "a.png"}
    all_headers |= {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.post(f"{site.url}/chat/upload", content=data, headers=all_headers)


async def get(site: Site, path: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(f"{site.url}{path}", headers=headers)


async def test_the_page_has_a_strict_policy(site: Site) -> None:
    page = await get(site, "/chat")
    policy = page.headers["content-security-policy"]
    assert page.status_code == 200 and "Chat with Nordbank" in page.text
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert f"frame-ancestors 'self' {SHOP}" in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert "<style" not in page.text and " on" + "click" not in page.text


async def test_the_script_is_fetched_once(site: Site) -> None:
    script = await get(site, "/chat/widget.js")
    again = await get(site, "/chat/widget.js", **{"If-None-Match": script.headers["etag"]})
    assert script.headers["content-type"].startswith("text/javascript") and again.status_code == 304
    assert "innerHTML" not in script.text and "eval(" not in script.text


def test_an_origin_that_is_none_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="shop.example"):
        Pages(ChatSettings(origins=("https://shop.example; script-src *",)))


async def test_a_file_is_uploaded_said_and_fetched_by_its_owner_alone(site: Site) -> None:
    async with tab_at(site) as tab, tab_at(site) as other:
        await tab.hello()
        await other.hello()
        sent = await upload(site, await permission(tab, "a.png"), PNG, X_File_Name="..%2Fkvitto%20%E4%B8%87.png")
        digest = sent.json()["file"]["digest"]
        await tab.send(t="file", id="upload-01", token=sent.json()["receipt"])
        said = await tab.next("said", "refused")
        own = await get(site, f"/chat/file/{digest}", Authorization=f"Bearer {tab.token}")
        foreign = await get(site, f"/chat/file/{digest}", Authorization=f"Bearer {other.token}")
        nobody = await get(site, f"/chat/file/{digest}")
        await other.send(t="file", id="upload-02", token=sent.json()["receipt"])
        stolen = await other.next("said", "refused")
    assert said["t"] == "said" and sent.json()["file"]["name"] == "kvitto 万.png"
    assert own.content == PNG and own.headers["content-type"] == "image/png"
    assert own.headers["content-disposition"].startswith("attachment") and "sandbox" in str(own.headers)
    assert foreign.status_code == nobody.status_code == 404
    assert stolen["code"] == "upload"


async def test_a_receipt_outlives_a_restart(site: Site) -> None:
    async with tab_at(site) as tab:
        await tab.hello()
        sent = await upload(site, await permission(tab, "a.png"), PNG)
    await site.stop()
    await site.start()
    async with tab_at(site) as again:
        await again.hello(tab.token)
        await again.send(t="file", id="upload-01", token=sent.json()["receipt"])
        assert (await again.next("said", "refused"))["t"] == "said"


async def test_a_file_too_large_is_refused_with_the_limit(site: Site) -> None:
    async with tab_at(site) as tab:
        await tab.hello()
        refused = await upload(site, await permission(tab, "a.png"), PNG + b"\0" * 200_000)
    assert refused.status_code == 413 and refused.json()["reason"] == "A file may have 195.312 KiB at most."
    assert site.desk.files == {}


async def test_a_stream_without_a_length_is_cut_at_the_limit(site: Site) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            yield b"\x89PNG\r\n\x1a\n" + b"\0" * 50_000
            sent += 50_000
            await asyncio.sleep(0)

    async with tab_at(site) as tab:
        await tab.hello()
        token = await permission(tab, "a.png")
        headers = {"Origin": site.url, "X-Upload-Token": token, "Content-Type": "image/png"}
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            try:
                answer = await client.post(f"{site.url}/chat/upload", content=endless(), headers=headers)
                assert answer.status_code == 413
            except httpx.TransportError:
                assert sent > 200_000  # the server hung up on a client that kept on sending
    assert site.desk.files == {}


async def test_a_permission_is_for_one_upload(site: Site) -> None:
    async with tab_at(site) as tab:
        await tab.hello()
        token = await permission(tab, "a.png")
        first, second = await upload(site, token, PNG), await upload(site, token, PNG)
        old = await permission(tab, "b.png")
        site.clock.now_s += 601
        late = await upload(site, old, PNG)
    assert [first.status_code, second.status_code, late.status_code] == [200, 403, 403]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Content_Type": "text/html"}, 415),
        ({"Content_Type": "application/pdf"}, 415),
        ({"X_Upload_Token": "forged.AAAAAAAAAAAAAAAAAAAAAA"}, 403),
    ],
)
async def test_an_upload_that_is_not_in_order_is_refused(site: Site, headers: dict[str, str], status: int) -> None:
    async with tab_at(site) as tab:
        await tab.hello()
        refused = await upload(site, await permission(tab, "a.png"), PNG, **headers)
    assert refused.status_code == status and refused.json()["reason"].endswith(".")
    assert site.desk.files == {}


async def test_an_embedding_site_may_upload_and_read_the_answer(site: Site) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        allowed = await client.options(f"{site.url}/chat/upload", headers={"Origin": SHOP})
        strange = await client.options(f"{site.url}/chat/upload", headers={"Origin": "https://evil.example"})
    assert allowed.headers["access-control-allow-origin"] == SHOP
    assert "access-control-allow-origin" not in strange.headers
