package workshop_test

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/reeve-civic/reeve/internal/kernel/web/webtest"
)

func death(n int) string {
	return fmt.Sprintf(`{"registration":"R-%d","status":"registered","name":{"given":"Given%d","family":"FAMILY"},"died":"2026-02-0%d","secret":"TOPSECRET","address":{"postcode":"AB1 2CD","line":"HIDDENLINE"}}`, n, n, n%9+1)
}

const edit = "/staff/flows/flow-tax/edit"

// Somebody picks a field, sees what would be sent, says of an example that the new
// result is right, and saves: the map has one line more, and nothing else changed.
func TestPickTryAndSave(t *testing.T) {
	r := newRig(t)
	r.accept(death(1), death(2))
	p := r.ask("GET", edit, nil).has("Change Deaths to council tax", "What the flow sees: Death", "What the receiver gets: Review", "← registration", "made by hand, line 4", "As expected").
		lacks("Secret", "Address, line", "FAMILY", "TOPSECRET", "AB1 2CD")
	if p.code != 200 {
		t.Fatal(p.code)
	}
	p.press("put:/diedOn").has("First choose the field that goes there")
	p.press("put:/holder", "from", "/name/family").has("made by hand in line 4")
	p.press("save").has("Nothing would change")
	p = p.press("put:/diedOn", "from", "/died").has("Died goes into died on.", "root.diedOn = this.died | deleted()", "is sent", "With your change, 2 of them would be dealt with in another way", "What the receiver would get is another", "This cannot be saved yet")
	if got := p.form.Get("map"); got != strings.Replace(taxMap, "this.registration\n", "this.registration\nroot.diedOn = this.died | deleted()\n", 1) {
		t.Errorf("%q", got)
	}
	p.press("save", "message", "because").has("not as expected are the examples registered")
	if len(r.saves) > 0 {
		t.Fatal("saved with an example that fails")
	}
	p = p.press("accept:registered").has("is expected now", "The definitions load with this change").lacks("This cannot be saved yet")
	done := p.press("save", "message", "Tell the day")
	if done.code != 303 || len(r.saves) != 1 || r.message != "staff/1: Tell the day" {
		t.Fatal(done.code, r.saves, r.message, done.html)
	}
	c := r.saves[0]
	if len(c.Files) != 2 || len(c.Set) != 0 || !strings.Contains(string(c.Files["examples/flow-tax/registered.json"]), `"diedOn": "2026-01-31"`) {
		t.Errorf("%v %s", c.Set, c.Files)
	}
	if m := r.ask("GET", edit, nil).press("drop:/diedOn").form.Get("map"); m != taxMap {
		t.Errorf("%q", m)
	}
	r.ask("GET", edit, nil).press("same").has("postcode", "of the same name are put together")
}

// What the definitions do not accept is told where it is, and is not saved; nor is
// what was made of something that is another by now.
func TestWrongChangesAreNotSaved(t *testing.T) {
	r := newRig(t)
	p := r.ask("GET", edit, nil)
	for _, x := range [][3]string{
		{"map", "root.a = this.\n", "Line "},
		{"map", `root = env("HOME")`, "may not call it"},
		{"filter", "record.secret == 1", "the agreement does not name"},
		{"filter", "record.", "cannot be read"},
		{"map", taxMap + strings.Repeat("# long\n", 2000), "is changed in its file, maps/tax.blobl"},
	} {
		if q := p.press("save", x[0], x[1]).has(x[2]); q.code != 422 {
			t.Errorf("%v: %d", x, q.code)
		}
	}
	p.press("try", "map", taxMap+"root.more = 1\n").has("another result")
	r.folder["maps/tax.blobl"] = &fstest.MapFile{Data: []byte(taxMap + "# somebody else\n")}
	r.use()
	p.press("save", "map", taxMap+"root.diedOn = deleted()\n").has("was changed by somebody else")
	r.closed = "Nothing can be changed."
	r.ask("GET", edit, nil).press("save", "map", taxMap+"# other\n").has("Nothing can be changed.")
	if len(r.saves) > 0 {
		t.Error(r.saves)
	}
	if q := r.ask("GET", "/staff/flows/none/edit", nil); q.code != 404 {
		t.Error(q.code)
	}
}

// A filter that is changed, a map that is taken away and one that is new are changes
// of the flow's definition.
func TestDefinitionChanges(t *testing.T) {
	r := newRig(t)
	p := r.ask("GET", edit, nil).press("try", "filter", `record.status == "in-error"`)
	p.press("accept:registered").press("accept:mistake").press("save")
	if len(r.saves) != 1 || r.saves[0].Set["filter"] != `record.status == "in-error"` || len(r.saves[0].Files) != 2 {
		t.Fatalf("%+v", r.saves)
	}
	p = r.ask("GET", edit, nil).press("try", "map", "").has("another result")
	p = p.press("accept:registered").press("accept:mistake")
	p.press("save")
	if set := r.saves[1].Set; len(r.saves) != 2 || set["map"] != nil || len(set) != 1 {
		t.Fatalf("%+v", set)
	}
	p = r.ask("GET", edit, nil)
	p = p.press("put:/reference", "from", "/registration").press("put:/task", "from", "/status").press("put:/holder", "from", "/name/family").press("accept:mistake")
	p.press("save")
	if len(r.saves) != 3 || r.saves[2].Set["map"] != "maps/flow-tax.blobl" || string(r.saves[2].Files["maps/flow-tax.blobl"]) != "root.reference = this.registration\nroot.task = this.status\nroot.holder = this.name.family\n" {
		t.Fatalf("%q %+v", r.saves[2].Files, r.saves[2].Set)
	}
}

// Real values are shown to who may see their class and says why; the journal keeps
// it, and nothing of what was seen. Others see masks, or nothing real at all.
func TestRealValuesAreMasked(t *testing.T) {
	r := newRig(t)
	r.accept(death(1))
	p := r.ask("GET", edit, nil).has(`"X-9"`, "XXXXXX").lacks("Given1", "FAMILY", "TOPSECRET", "HIDDENLINE", "R-1")
	p.press("show").has("Say why").lacks("FAMILY")
	q := p.press("show", "reason", "fault").has("Given1", "FAMILY", "Given1 FAMILY", "is in the journal").lacks("TOPSECRET", "HIDDENLINE")
	if q.code != 200 {
		t.Error(q.code)
	}
	size, err := r.jn.Size(t.Context())
	r.check(err)
	es, err := r.jn.Read(t.Context(), 0, int(size))
	r.check(err)
	about := map[string]string{}
	for _, e := range es {
		about[string(e.About)+" "+e.Verb] = strings.Join(e.Why, ",")
		if strings.Contains(fmt.Sprint(e), "FAMILY") {
			t.Error("the journal holds a value")
		}
	}
	if about["flow/flow-tax saw"] != "reason fault" || about["record/r1-1 saw"] != "example of flow-tax,reason fault" {
		t.Errorf("%v", about)
	}
	p.press("try", "map", taxMap+"# other\n")
	if size2, err := r.jn.Size(t.Context()); err != nil || size2 != size+1 {
		t.Errorf("trying on real records is not in the journal: %d %v", size2-size, err)
	}
	r.roles = []string{"apprentice"} // who may see internal data only
	r.ask("GET", edit, nil).press("show", "reason", "fault").has(`"R-1"`).lacks("Given1", "FAMILY")
	r.roles = []string{"architect"}
	r.ask("GET", edit, nil).has("Records that came in are shown to those who may see them").lacks("X-9")
	if q := r.ask("GET", edit, nil).press("show", "reason", "fault"); q.code != 403 {
		t.Error(q.code)
	}
	// A map cannot bring out what the agreement leaves out.
	r.roles = []string{"integration"}
	r.ask("GET", edit, nil).press("try", "map", `root.reference = this.secret | "none"`+"\n"+`root.task = this.string()`+"\nroot.holder = this.address.line | \"none\"\n").lacks("TOPSECRET", "HIDDENLINE")
}

// An example is added by giving a record: what the flow makes of it is expected.
func TestAddAnExample(t *testing.T) {
	r := newRig(t)
	p := r.ask("GET", edit, nil)
	p.press("add", "name", "../x", "given", "{").has("may only hold letters", "Write the record as JSON")
	p.press("add", "name", "registered", "given", "{}").has("with this name already")
	q := p.press("add", "name", "no-name", "given", `{"registration": "R9", "status": "registered"}`).has("expects what the flow makes of it", "is missing")
	q.press("save")
	if len(r.saves) != 1 || !strings.Contains(string(r.saves[0].Files["examples/flow-tax/no-name.json"]), `"problems"`) {
		t.Fatalf("%+v", r.saves)
	}
	p = p.press("add", "name", "other", "given", `{"registration": "R9", "status": "in-error", "name": {"given": "A", "family": "B"}}`)
	if p = p.press("forget:other"); strings.Contains(p.html, "example:other") {
		t.Error("it is still there")
	}
}

// The page is the same for everybody: on a phone, without scripts, by keyboard.
func TestBrowser(t *testing.T) {
	r := newRig(t)
	r.accept(death(1), death(2))
	chrome := webtest.Browser(t)
	changed := r.ask("GET", edit, nil).press("put:/diedOn", "from", "/died")
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path != "/changed" {
			r.mux.ServeHTTP(w, q)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(changed.html))
	}))
	defer srv.Close()
	chrome.Check(t, "flow-edit", webtest.Visit{URL: srv.URL + edit}, 200)
	chrome.Check(t, "flow-changed", webtest.Visit{URL: srv.URL + "/changed"}, 200)
	visit := webtest.Visit{URL: srv.URL + edit}
	// By keyboard, Enter at a field on the left leads to the button of the field that
	// it most likely goes into, and Escape leads back.
	got := chrome.Eval(t, visit, `(() => {
		const key = (el, key) => el.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
		const radio = document.querySelector('[data-from="/address/postcode"] input');
		radio.focus();
		key(radio, 'Enter');
		const at = document.activeElement.value;
		key(document.activeElement, 'Escape');
		return at + ' ' + radio.checked + ' ' + (document.activeElement === radio);
	})()`)
	if got != "put:/account/postcode true true" {
		t.Errorf("by keyboard: %s", got)
	}
	// A field that is dragged to another is put there, as if its button was pressed.
	got = chrome.Eval(t, visit, `new Promise((done) => {
		const form = document.querySelector('[data-pick]').closest('form');
		form.addEventListener('submit', (e) => {
			e.preventDefault();
			done(new FormData(form, e.submitter).get('from') + ' ' + e.submitter.value);
		});
		const data = new DataTransfer();
		const drag = (el, what) => el.dispatchEvent(new DragEvent(what, { bubbles: true, cancelable: true, dataTransfer: data }));
		drag(document.querySelector('[data-from="/died"]'), 'dragstart');
		const to = document.querySelector('[data-to="/diedOn"]');
		drag(to, 'dragover');
		drag(to, 'drop');
	})`)
	if got != "/died put:/diedOn" {
		t.Errorf("by drag and drop: %s", got)
	}
}

// A map that somebody is trying brings out nothing by what it makes of values: not by
// names of fields, nor by texts of its own, marks, lengths or errors.
func TestTriedMapBringsOutNothing(t *testing.T) {
	r := newRig(t)
	r.accept(death(1), death(2))
	for _, m := range []string{
		taxMap + `root.extra = {(this.name.family): 1}`,
		taxMap + `root.reference = if this.name.family == "FAMILY" { "Itis" } else { "Itisnot" }`,
		taxMap + `root.reference = this.name.family.replace_all("F", "!").replace_all("A", "~").replace_all("M", "^")`,
		`root = throw("it is " + this.name.family)`,
		taxMap + `root.reference = [this.name.family, this.name.family.lowercase()].join("")`,
	} {
		p := r.ask("GET", edit, nil).press("try", "map", m)
		text := html.UnescapeString(p.html)
		for line := range strings.Lines(m) { // the page holds the map itself, too
			text = strings.ReplaceAll(text, strings.TrimSpace(line), "")
		}
		for _, s := range []string{"FAMILY", "!~", `"Itis"`, "XXXXXXxxxxxx"} {
			if strings.Contains(text, s) {
				at := strings.Index(text, s)
				t.Errorf("%s brings out %q: %s", m, s, text[max(0, at-120):min(len(text), at+60)])
			}
		}
		if q := p.press("show", "reason", "fault"); q.code != 200 && q.code != 422 {
			t.Error(q.code)
		}
	}
}
