"""Nothing leaves the browser, and nothing is needed from outside after the first load."""

import httpx
from selenium.webdriver.common.by import By


def test_a_host_that_sends_no_policy_gets_it_all_the_same(page):
    """Workers take no policy from a page, so the service worker's answers carry it."""
    script = "return (await fetch(given[0])).headers.get('Content-Security-Policy')"
    stated = page.driver.find_element(By.CSS_SELECTOR, "meta[http-equiv]").get_attribute("content")
    assert "default-src 'none'" in stated
    assert page.ask(script, "src/worker.js") == stated
    sent = httpx.get(page.address).headers["Content-Security-Policy"]
    assert sent == f"{stated}; frame-ancestors 'none'"


def test_nothing_is_sent_anywhere(page, trap, drawn):
    assert page.choose(drawn / "good.png")[1]
    tries = """
    const failed = [];
    const said = (event) => failed.push(event.violatedDirective);
    document.addEventListener('securitypolicyviolation', said);
    for (const [address, how] of [
      ['http://elsewhere.example/a', {}],
      ['http://elsewhere.example/b', {method: 'POST', body: 'x', mode: 'no-cors'}],
      ['./', {method: 'POST', body: 'x'}],
      ['unknown.json', {}],
    ]) await fetch(address, how).then(() => failed.push('answered'), () => failed.push('failed'));
    navigator.sendBeacon('http://elsewhere.example/c', 'x');
    new Image().src = 'http://elsewhere.example/d';
    await new Promise((resolve) => setTimeout(resolve, 300));
    document.removeEventListener('securitypolicyviolation', said);
    return failed;
    """
    found = page.ask(tries)
    assert found.count("failed") == 4
    assert "answered" not in found
    assert {"connect-src", "img-src"} <= set(found)
    assert trap.came == []
    assert page.server.asked == {"GET"}


def test_it_works_without_a_network_after_the_first_load(page, server, drawn):
    """Nothing answers here: the server's door is shut while the page is loaded anew."""
    before = page.choose(drawn / "good.png")
    assert page.text("offline") == "Works offline from now on."
    server.pause()
    try:
        page.driver.refresh()
        page.until(lambda: page.text("summary") == "Give it a picture.")
        assert page.choose(drawn / "good.png") == before
    finally:
        server.resume()


def test_the_trap_would_have_caught_it(page, trap):
    """Last: a page elsewhere is asked for, and the same trap hears of it."""
    page.driver.get("http://elsewhere.example/")
    page.until(lambda: trap.came)
    assert trap.came[0].startswith(b"GET / HTTP/1.1\r\nHost: elsewhere.example")
