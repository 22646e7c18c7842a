"""The node's dashboard: who gets in, and what is seen there, in a real browser and without one.

The network of these tests has a year behind it, which ran on a fast clock: a week at a time, with uploads, downloads,
audits, settlements, and twelve months that the satellite closed.
"""

import csv
import http.client
import io
import json
import os
import sqlite3
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
from browser import complaints, open_browser, shoot
from network import CommandFailed, Network, run, wait_until
from test_payout import Books

WEEK = 7 * 86400
PANELS = {"/": "summary", "/earnings": "money", "/standing": "health", "/disk": "disk", "/traffic": "traffic",
          "/orders": "orders", "/network": "network", "/nodes": "nodes", "/events": "events"}


def fetch(node, path, token=None, method="GET", body=None, headers=None):
    """(status, headers, text) of one request, redirections not followed."""
    connection = http.client.HTTPConnection("127.0.0.1", node.http_port, timeout=30)
    if token:
        headers = {**(headers or {}), "Authorization": "Bearer " + token}
    connection.request(method, path, body=body, headers=headers or {})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, dict(answer.getheaders()), text


def api(node, name):
    status, _, text = fetch(node, "/api/v1/" + name, token=(node.dir / "cookie").read_text().strip())
    assert status == 200, text
    return json.loads(text)


def tool(node, *words, stdin=None):
    return run("granary-node", *words, "--dir", node.dir, env=node.network.env, stdin=stdin)


def code_of(node, *words):
    return json.loads(tool(node, "dashboard", "code", "--json", *words))["code"]


def live_a_year(net, books, client):
    """A week at a time; each month is closed when it is over."""
    for week in range(52):
        period, end = books.month()
        books.ahead += WEEK
        if time.time() + books.ahead >= end:
            books.ahead = end + 3600 - int(time.time())
        net.set_ahead(books.ahead)
        net.wait_online(len(net.nodes))
        if books.month()[0] != period:
            books.json("payout", "close", "--period", period)
        if week % 2 == 0:
            client.put(os.urandom(200_000 + 10_000 * week), f"granary://year/{week}")
        client.get(f"granary://year/{week - week % 2}")
        for node in net.nodes:
            node.json("settle")
            api(node, "traffic")  # whoever looks has the history written


@pytest.fixture(scope="module")
def year(tmp_path_factory):
    net = Network(tmp_path_factory.mktemp("year"), nodes=0, redundancy="1/1/2/2")
    for _ in range(2):
        net.add_node(options=("--check-in", "1s", "--watts", "8", "--kwh-price", "0.3"))
    net.wait_online(2)
    client = net.client()
    client.run("mb", "granary://year")
    books = Books(net)
    live_a_year(net, books, client)
    net.books = books
    yield net
    net.close()


@pytest.fixture(scope="module")
def desk(year, tmp_path_factory):
    """A browser that is logged in at the first node."""
    downloads = tmp_path_factory.mktemp("downloads")
    browser = open_browser(downloads=downloads)
    browser.downloads = downloads
    log_in(browser, year.nodes[0])
    yield browser
    browser.quit()


def url(node, path="/"):
    return f"http://127.0.0.1:{node.http_port}{path}"


def find(browser, selector):
    return browser.find_element("css selector", selector)


def find_all(browser, selector):
    return browser.find_elements("css selector", selector)


def click(browser, selector):
    """The page may renew itself between finding and clicking."""
    exceptions = pytest.importorskip("selenium.common.exceptions")

    def done():
        try:
            find(browser, selector).click()
            return True
        except exceptions.StaleElementReferenceException:
            return False
    wait_until(f"a click on {selector}", done)


def log_in(browser, node, path="/"):
    browser.get(url(node, path))
    assert "/login" in browser.current_url
    find(browser, "input[name=code]").send_keys(code_of(node))
    find(browser, "form button").click()
    wait_until("logged in", lambda: find_all(browser, "#live h1"))


# Who gets in.

def test_nobody_gets_in_without(year):
    node = year.nodes[0]
    for path, name in PANELS.items():
        status, headers, _ = fetch(node, path)
        assert status == 303 and headers["Location"].startswith("/login?to=/")
        assert fetch(node, "/api/v1/" + name)[0] == 401
        assert fetch(node, path + "?part=1")[0] == 401
    for path in ("/api/v1/history?what=disk", "/api/v1/export?year=2027", "/api/v1/stream"):
        assert fetch(node, path)[0] == 401
    for path in ("/logout", "/nodes/add", "/nodes/code", "/nodes/forget", "/events/read", "/api/v1/settle"):
        assert fetch(node, path, method="POST")[0] == 401
    assert fetch(node, "/login", headers={"Host": "evil.example"})[0] == 403


def session_of(node):
    """The cookie of a new session, and its form token."""
    status, headers, _ = fetch(node, "/login", method="POST", body="code=" + code_of(node))
    assert status == 303
    cookie = headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    cookie = cookie.split(";")[0]
    page = fetch(node, "/nodes", headers={"Cookie": cookie})[2]
    return cookie, page.split('name="form" value="')[1].split('"')[0]


def test_session_and_its_forms(year):
    node = year.nodes[0]
    cookie, form = session_of(node)
    status, headers, text = fetch(node, "/disk", headers={"Cookie": cookie})
    assert status == 200 and "<h1>Disk</h1>" in text
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"] and headers["X-Frame-Options"] == "DENY"
    # A page of somebody else cannot send the session's forms.
    assert fetch(node, "/events/read", method="POST", body="number=0", headers={"Cookie": cookie})[0] == 401
    wrong = {"Cookie": cookie, "Origin": "http://evil.example"}
    assert fetch(node, "/events/read", method="POST", body=f"number=0&form={form}", headers=wrong)[0] == 403
    right = {"Cookie": cookie}
    assert fetch(node, "/events/read", method="POST", body=f"number=0&form={form}", headers=right)[0] == 303
    assert fetch(node, "/login?to=//evil.example", headers={})[2].count("evil.example") == 0
    assert fetch(node, "/logout", method="POST", body=f"form={form}", headers={"Cookie": cookie})[0] == 303
    assert fetch(node, "/disk", headers={"Cookie": cookie})[0] == 303


def test_read_only_token(year):
    node = year.nodes[0]
    token = json.loads(tool(node, "dashboard", "token", "monitor", "--json"))["token"]
    assert fetch(node, "/api/v1/summary", token=token)[0] == 200
    assert fetch(node, "/api/v1/status", token=token)[0] == 200
    assert fetch(node, "/api/v1/settle", token=token, method="POST")[0] == 401
    assert fetch(node, "/events/read", token=token, method="POST", body="number=0")[0] == 401
    tool(node, "dashboard", "forget", "monitor")
    assert fetch(node, "/api/v1/summary", token=token)[0] == 401


def test_first_view_is_small(year):
    """All that a browser fetches for the first page."""
    node = year.nodes[0]
    cookie, _ = session_of(node)
    size = len(fetch(node, "/", headers={"Cookie": cookie})[2])
    for name in ("page.css", "page.js", "theme.js", "dygraph.js", "dygraph.css"):
        connection = http.client.HTTPConnection("127.0.0.1", node.http_port, timeout=30)
        connection.request("GET", "/" + name, headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        assert answer.status == 200 and answer.getheader("Content-Encoding") == "gzip"
        size += len(answer.read())
        tag = answer.getheader("ETag")
        connection.close()
        assert fetch(node, "/" + name, headers={"If-None-Match": tag})[0] == 304
    assert size < 150_000


# Figures: the page's are the API's, the command's, and the database's.

def number(text):
    return int(text.replace(",", "").split()[0])


def bytes_in(browser, selector):
    """The exact numbers, in the titles of sizes."""
    return [number(title) for title in browser.execute_script(
        "return [...document.querySelectorAll(arguments[0] + ' span[title$=bytes]')].map((e) => e.title)", selector)]


def test_disk_figures(year, desk):
    node = year.nodes[0]
    desk.get(url(node, "/disk"))
    told = api(node, "disk")
    space = node.json("status")["space"]
    assert told["space"] == space
    shown = dict(zip([part["part"] for part in told["bar"]], bytes_in(desk, "table.parts tbody tr[data-part]")))
    assert shown["paid"] + shown["unpaid"] == space["live"] + space["dead"]
    assert (shown["heads"], shown["trash"], shown["temporary"], shown["prepared"]) == (
        space["overhead"], space["trash"], space["reserved"], space["free"])
    scanned = json.loads(tool(node, "store", "stats", "--json"))["space"]
    assert {k: scanned[k] for k in ("live", "dead", "overhead", "trash")} == {
        k: space[k] for k in ("live", "dead", "overhead", "trash")}
    # The bar is all of the filesystem. Others write to it meanwhile; its size stays.
    fs = os.statvfs(node.dir)
    assert sum(part["bytes"] for part in told["bar"]) == told["disk"]["total"] == fs.f_blocks * fs.f_frsize
    assert sum(shown.values()) == told["disk"]["total"]
    widths = desk.execute_script("return [...document.querySelectorAll('svg.bar rect')]"
                                 ".map((r) => +r.getAttribute('width'))")
    assert abs(sum(widths) - 1000) < 0.2
    last = sqlite3.connect(f"file:{node.dir}/history.db?mode=ro", uri=True).execute(
        "SELECT live, dead, overhead FROM disk ORDER BY at DESC LIMIT 1").fetchone()
    assert last == (space["live"], space["dead"], space["overhead"])
    assert told["satellites"][0]["holdings"]["agrees"]


def cells(browser, selector):
    """The texts of a table's rows, all of one moment."""
    return browser.execute_script("return [...document.querySelectorAll(arguments[0])].map((row) => "
                                  "[...row.cells].map((cell) => cell.innerText.trim()))", selector)


def plain(amount):
    """A sum of money as the page prints it: two decimals, or all when these do not tell it all."""
    return amount[:-6] if amount.endswith("000000") else amount


def test_earnings_figures(year, desk):
    node = year.nodes[0]
    command = json.loads(tool(node, "earnings", "--json"))
    told = api(node, "money")
    assert [(m["period"], m["own"], m["theirs"], m["lines"]) for m in told["months"]] == [
        (m["period"], m["own"], m["theirs"], m["lines"]) for m in command["months"]]
    assert len(told["months"]) >= 12 and sum(m["agrees"] for m in told["months"]) >= 11
    desk.get(url(node, "/earnings"))
    rows = cells(desk, "table.months tbody tr")
    assert [row[0] for row in rows] == [m["period"] for m in reversed(told["months"])]
    for row, month in zip(rows, reversed(told["months"])):
        own = month["own"]
        assert row[6:10] == [plain(own[k]) for k in ("earned", "held", "released", "payable")]
        work = sum(int(line["amount"].replace(".", "")) for line in month["lines"]
                   if line["kind"] in ("storage", "egress", "audit", "repair"))
        assert work == int(own["work"].replace(".", ""))
    forecast = told["forecast"][0]
    low, high = (int(forecast[k]["payable"].replace(".", "")) for k in ("low", "high"))
    assert int(forecast["so_far"]["payable"].replace(".", "")) <= low <= high and high > 0
    assert {k: v for k, v in forecast.items() if k in ("stored", "price_storage", "egress_day")} == {
        k: v for k, v in command["forecast"][0].items() if k in ("stored", "price_storage", "egress_day")}
    stages = dict(desk.execute_script("return [...document.querySelectorAll('.stages li')].map((li) => "
                                      "[li.dataset.stage, li.querySelector('strong').innerText])"))
    assert stages == {k: plain(v) for k, v in told["stages"].items()}
    paid = sum(int(m["theirs"]["paid"].replace(".", "")) for m in command["months"] if m["theirs"])
    assert int(told["stages"]["paid"].replace(".", "")) == paid
    database = sqlite3.connect(f"file:{node.dir}/papers.db?mode=ro", uri=True)
    assert database.execute("SELECT COUNT(*) FROM statements").fetchone()[0] == sum(
        m["statement"] for m in told["months"])
    held = told["held"][0]
    assert held["month"] == len(told["months"]) and held["percent"] == 0
    net = {m["period"]: m for m in told["net"]}
    full = net[told["months"][2]["period"]]
    assert float(full["cost"]) > 1 and full["net"].startswith("-")


def test_earnings_drill_down_and_download(year, desk):
    node = year.nodes[0]
    period = api(node, "money")["months"][3]["period"]
    desk.get(url(node, "/earnings"))
    click(desk, f"a[href='/earnings?period={period}']")
    wait_until("the month", lambda: find_all(desk, "#days"))
    days = cells(desk, "#days tbody tr")
    month = json.loads(tool(node, "earnings", "--period", period, "--json"))["months"][0]
    assert [row[0] for row in days] == [day["day"] for day in month["days"]]
    assert [int(row[5].replace(",", "")) for row in days] == [day["orders"] for day in month["days"]]
    shoot(desk, "month")
    click(desk, f"a[href='/api/v1/export?period={period}']")
    file = desk.downloads / f"granary-earnings-{period}.csv"
    wait_until("the download", file.exists)
    assert file.read_text() == tool(node, "earnings", "--period", period, "--csv")
    rows = list(csv.DictReader(io.StringIO(file.read_text())))
    assert {row["action"] for row in rows} >= {"storage", "egress", "held"}
    year_text = fetch(node, f"/api/v1/export?year={period[:4]}", token=(node.dir / "cookie").read_text())[2]
    assert {row["period"][:4] for row in csv.DictReader(io.StringIO(year_text))} == {period[:4]}
    status, headers, text = fetch(node, f"/api/v1/export?period={period}&format=json",
                                  token=(node.dir / "cookie").read_text())
    assert status == 200 and "attachment" in headers["Content-Disposition"]
    assert json.loads(text)["months"][0] == month
    for bad in ("period=2027-13", "year=27", ""):
        assert fetch(node, f"/api/v1/export?{bad}", token=(node.dir / "cookie").read_text())[0] == 400


def test_traffic_figures(year, desk):
    node = year.nodes[0]
    database = sqlite3.connect(f"file:{node.dir}/history.db?mode=ro", uri=True)
    for by in ("hour", "day", "month", "year"):
        told = api(node, f"traffic?by={by}")
        first = min(row["at"] for row in told["rows"])
        sums = database.execute("SELECT SUM(bytes), SUM(done), SUM(lost), SUM(failed) FROM traffic WHERE at >= ?",
                                (first,)).fetchone()
        assert tuple(sum(row[k] for row in told["rows"]) for k in ("bytes", "done", "lost", "failed")) == tuple(
            s or 0 for s in sums)
    months = api(node, "traffic?by=month")["rows"]
    assert sum(1 for row in months if row["actions"]["get"]["bytes"] > 0) >= 10
    desk.get(url(node, "/traffic?by=month"))
    rows = cells(desk, "#live table tbody tr")
    busy = [row for row in months if row["done"] + row["lost"] + row["failed"] > 0]
    for shown, row in zip(rows, busy):
        assert shown[0] == time.strftime("%Y-%m", time.gmtime(row["at"]))
        assert [int(text.replace(",", "")) for text in shown[6:9]] == [row["done"], row["lost"], row["failed"]]
    # The history is bounded: hours of 35 days, days before that.
    oldest = database.execute("SELECT MIN(at), MAX(at) FROM traffic WHERE span = 3600").fetchone()
    assert oldest[1] - oldest[0] <= 36 * 86400
    assert database.execute("SELECT COUNT(*) FROM traffic WHERE span = 86400").fetchone()[0] > 40


def test_orders_figures(year, desk):
    node = year.nodes[0]
    orders = node.json("status")["orders"]
    told = api(node, "orders")
    assert told["all"] == orders
    desk.get(url(node, "/orders"))
    row = cells(desk, "#live table tbody tr")[0]
    assert [int(text.replace(",", "")) for text in row[1:4]] == [
        orders["unsettled"], orders["settled"], orders["rejected"]]
    counted = sqlite3.connect(f"file:{node.dir}/ledger.db?mode=ro", uri=True).execute(
        "SELECT COUNT(*), MAX(at) FROM orders WHERE state = 2").fetchone()
    assert counted[0] == orders["settled"] > 40
    assert abs(told["satellites"][0]["last_settled"] - counted[1]) < 8 * 86400
    # An order that was written down just as the clock was set a week ahead may have lapsed.
    assert len(told["rejected"]) == orders["rejected"] and all(order["reason"] for order in told["rejected"])
    assert ("No order was rejected" in desk.page_source) == (orders["rejected"] == 0)
    assert ("No order waits" in desk.page_source) == (orders["unsettled"] == 0)


def test_network_and_health(year, desk):
    node = year.nodes[0]
    status = node.json("status")
    told = api(node, "network")
    assert told["endpoint"] == status["endpoint"] and told["satellites"][0]["reachable"]
    desk.get(url(node, "/network"))
    assert "it can dial this node" in desk.page_source and status["endpoint"] in desk.page_source
    standing = wait_until("the satellite's opinion", lambda: api(node, "health")["satellites"][0]["standing"])
    assert standing == node.json("status")["satellites"][0]["standing"]
    desk.get(url(node, "/standing"))
    text = find(desk, "section.satellite").text
    assert standing["state"] in text and f"{100 * standing['audit']:.2f} %" in text
    assert f"could fail {standing['audits_left']} of the next 1,000 proofs" in text
    assert len(cells(desk, "table.notices tbody tr")) == len(standing["notices"])
    scores = api(node, "history?what=scores")
    assert scores["limits"]["audit"] > 0.9 and any(row[1] for row in scores["rows"])
    reach = api(node, "health")["reach"][0]
    assert 0 < reach["reachable"] <= reach["looks"]


# In the browser.

def drawn(browser):
    return [int(f.get_attribute("data-drawn") or 0) for f in find_all(browser, "figure.chart")]


def test_every_panel(year, desk):
    node = year.nodes[0]
    desk.get_log("browser")
    for path in PANELS:
        desk.get(url(node, path))
        wait_until(f"charts of {path}", lambda: all(n > 0 for n in drawn(desk)), 20)
        assert find(desk, "nav a[aria-current]").get_attribute("href") == url(node, path)
        assert not find_all(desk, "#live p.bad")
        shoot(desk, "overview" if path == "/" else path[1:])
    assert complaints(desk) == []


def test_chart_ranges(year, desk):
    node = year.nodes[0]
    desk.get(url(node, "/traffic"))
    figure = find(desk, "figure.chart[data-what=traffic]")
    wait_until("the chart", lambda: int(figure.get_attribute("data-drawn") or 0) > 0)
    before = int(figure.get_attribute("data-drawn"))
    figure.find_element("css selector", "button[data-days='365']").click()
    wait_until("the year", lambda: int(figure.get_attribute("data-drawn")) != before)
    assert 300 <= int(figure.get_attribute("data-drawn")) <= 366  # days
    assert figure.find_element("css selector", "button[aria-pressed=true]").text == "year"
    assert figure.find_elements("css selector", ".dygraph-rangesel-fgcanvas")
    series = api(node, "history?what=traffic&from=0&until=4000000000")
    assert len(series["rows"]) <= 2000 and series["labels"][0] == "time"
    text = fetch(node, "/api/v1/history?what=disk&format=csv", token=(node.dir / "cookie").read_text())[2]
    assert text.splitlines()[0] == "time,stored,heads,trash,garbage,prepared" and len(text.splitlines()) > 3
    for bad in ("what=nothing", "what=disk&from=x", "what=disk&from=9&until=3", "what=scores&satellite=0x1"):
        assert fetch(node, "/api/v1/history?" + bad, token=(node.dir / "cookie").read_text())[0] == 400


def test_it_is_live(year, desk):
    """Nobody reloads: a download shows by itself."""
    node = year.nodes[0]
    client = year.client("watcher")
    client.run("mb", "granary://live")
    desk.get(url(node, "/orders"))
    wait_until("the stream", lambda: find(desk, "body").get_attribute("data-live") == "yes")
    settled = api(node, "orders")["all"]["settled"]
    client.put(os.urandom(100_000), "granary://live/a")
    node.json("settle")
    wait_until("new figures", lambda: int(cells(desk, "#live table tbody tr")[0][2].replace(",", "")) > settled, 20)


def test_themes(year, desk):
    desk.get(url(year.nodes[0], "/"))
    color = "return getComputedStyle(document.body).backgroundColor"
    light = desk.execute_script(color)
    find(desk, "#theme").click()
    dark = desk.execute_script(color)
    assert dark != light
    desk.get(url(year.nodes[0], "/disk"))
    assert desk.execute_script(color) == dark
    wait_until("charts", lambda: all(n > 0 for n in drawn(desk)))
    shoot(desk, "disk-dark")
    find(desk, "#theme").click()
    assert desk.execute_script(color) == light


def test_phone(year):
    browser = open_browser(width=390, height=844)
    try:
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True})
        log_in(browser, year.nodes[0])
        for path in PANELS:
            browser.get(url(year.nodes[0], path))
            wait_until("charts", lambda: all(n > 0 for n in drawn(browser)), 20)
            wide = browser.execute_script("return document.documentElement.scrollWidth - window.innerWidth")
            assert wide <= 0, f"{path} is {wide} pixels too wide"
            shoot(browser, "phone-" + ("overview" if path == "/" else path[1:]))
    finally:
        browser.quit()


def test_without_scripts(year):
    node = year.nodes[0]
    browser = open_browser(scripts=False)
    try:
        log_in(browser, node, "/disk")
        assert browser.current_url == url(node, "/disk")
        assert len(find_all(browser, "table.parts tbody tr")) == 9
        browser.get(url(node, "/earnings"))
        assert len(find_all(browser, "table.months tbody tr")) >= 12
        shoot(browser, "no-scripts")
        find(browser, "form[action='/logout'] button").click()
        browser.get(url(node, "/disk"))
        assert "/login" in browser.current_url
        shoot(browser, "login")
    finally:
        browser.quit()


def test_two_nodes_on_one_page(year, desk):
    one, other = year.nodes
    desk.get(url(one, "/nodes"))
    find(desk, "input[name=at]").send_keys(f"127.0.0.1:{other.http_port}")
    find(desk, "input[name=code]").send_keys("2222-2222")
    find(desk, "form[action='/nodes/add'] button").click()
    wait_until("refused", lambda: "was not added" in desk.page_source)
    desk.get(url(one, "/nodes"))
    find(desk, "input[name=at]").send_keys(f"127.0.0.1:{other.http_port}")
    find(desk, "input[name=code]").send_keys(code_of(other, "--pair"))
    find(desk, "form[action='/nodes/add'] button").click()
    wait_until("the other's figures", lambda: len(api(one, "nodes")["nodes"]) == 2 and
               api(one, "nodes")["nodes"][1]["summary"])
    desk.get(url(one, "/nodes"))
    stored = [n["summary"]["space"]["live"] for n in api(one, "nodes")["nodes"]]
    assert stored == [n.json("status")["space"]["live"] for n in year.nodes]
    assert bytes_in(desk, "table.nodes tfoot td[data-col='0']") == [sum(stored)]
    # A column that nobody wants.
    find(desk, "#columns input").click()
    assert not find(desk, "table.nodes tfoot td[data-col='0']").is_displayed()
    find(desk, "#columns input").click()
    shoot(desk, "two-nodes")
    # One node down takes nothing away.
    other.stop()
    wait_until("the other is missed", lambda: not api(one, "nodes")["nodes"][1]["reachable"])
    desk.get(url(one, "/nodes"))
    assert bytes_in(desk, "table.nodes tfoot td[data-col='0']") == [sum(stored)]
    assert find_all(desk, "table.nodes td.bad")
    shoot(desk, "one-node-down")
    other.start()
    wait_until("the other is back", lambda: api(one, "nodes")["nodes"][1]["reachable"])
    desk.get(url(one, "/nodes"))
    click(desk, "form[action='/nodes/forget'] button")
    wait_until("forgotten", lambda: len(api(one, "nodes")["nodes"]) == 1)


def test_events(year, desk):
    """A satellite that is gone is noted once, with what to do, and so is its return."""
    node = year.nodes[0]
    year.satellite.stop()
    def kinds():
        return [event["kind"] for event in api(node, "events")["events"]]
    wait_until("the event", lambda: "satellite-unreachable" in kinds(), 60)
    desk.get(url(node, "/events"))
    assert any(all(row) for row in cells(desk, "tr.unread[data-kind=satellite-unreachable]"))
    shoot(desk, "events-unread")
    click(desk, "form[action='/events/read'] button")
    wait_until("read", lambda: not find_all(desk, "tr.unread"))
    assert api(node, "events")["unread"] == 0
    year.satellite.start()
    wait_until("over", lambda: api(node, "events")["events"][0]["text"].startswith("Over"), 60)
    assert kinds().count("satellite-unreachable") == 2


def test_password_and_guessing(year):
    """Last: for a minute afterwards nobody here gets in any more."""
    node = year.nodes[1]
    with pytest.raises(CommandFailed) as failed:
        tool(node, "dashboard", "password", stdin=b"short\n")
    assert "8 to 200" in failed.value.err
    tool(node, "dashboard", "password", stdin=b"correct horse\n")
    assert json.loads(tool(node, "dashboard", "logins", "--json"))["password"]
    form = urllib.parse.urlencode({"password": "correct horse", "to": "/disk"})
    status, headers, _ = fetch(node, "/login", method="POST", body=form)
    assert status == 303 and headers["Location"] == "/disk"
    statuses = [fetch(node, "/login", method="POST", body="password=wrong")[0] for _ in range(6)]
    assert statuses == [401] * 5 + [429]
