import httpx
import pytest

from fulfillment.demo.pages import Browser, Page, PageError

PAGE = """
<a href="/f/a/pick/1/">One</a> <a href="/f/a/pick/1/">again</a> <a href="/elsewhere/">Other</a>
<form id="main" method="post" action="/act/">
  <input type="hidden" name="kind" value="quantity"><input name="units" type="number" max="4" value="4">
  <input type="checkbox" name="off"><input type="checkbox" name="on" checked>
  <select name="reason"><option value="">Choose</option><option value="LOST" selected>Lost</option></select>
  <textarea name="note">Mind the step</textarea>
</form>
<form method="post" action="/act/"><input type="hidden" name="kind" value="close"></form>
<button form="main" type="submit" name="confirmed" value="true">Confirm</button>
<input form="main" name="late" value="yes">
"""


def test_form_has_what_a_browser_would_send():
    form = Page("http://demo/", 200, PAGE).form("/act/", kind="quantity")

    assert form.fields == {
        "kind": "quantity",
        "units": "4",
        "on": "on",
        "reason": "LOST",
        "note": "Mind the step",
        "late": "yes",
    }
    assert form.choices == {"reason": ["", "LOST"]}
    assert form.limits == {"units": "4"}
    assert form.buttons == [("confirmed", "true")]


def test_forms_are_found_by_address_and_values():
    page = Page("http://demo/", 200, PAGE)

    assert page.form("/act/", kind="close").fields == {"kind": "close"}
    assert page.form("/act/", kind="undo") is None
    assert page.form("/start/") is None
    assert page.links_to("/f/a/pick/[0-9]/") == ["/f/a/pick/1/"]


def test_what_is_hidden_is_not_there():
    page = Page(
        "http://demo/",
        200,
        """<head><title>Title</title></head><template><a href="/never/">Never</a></template>
        <div hidden><div>Later</div><form action="/close/"><input name="a" value="1"></form></div>
        <p>Now<img src="p.png" hidden alt=""></p><form action="/open/"><input type="hidden" name="b" value="2"></form>""",
    )

    assert [form.action for form in page.forms] == ["/open/"]
    assert page.form("/open/").fields == {"b": "2"}
    assert (page.words, page.links) == (["Now"], [])


def test_browser_stops_at_an_error_and_at_a_missing_form():
    browser = Browser("http://demo", {})
    browser.client = httpx.Client(
        base_url="http://demo", transport=httpx.MockTransport(lambda request: httpx.Response(404))
    )

    with pytest.raises(PageError, match="404"):
        browser.open("/nowhere/")
    with pytest.raises(PageError, match="no form to hand over"):
        browser.send(Page("http://demo/", 200, ""), None, "hand over")
