package notify

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

const perPage = 50

// Mount adds the pages of messages and the address that Notify calls back.
func (d *Desk) Mount(m *web.Mux, zone *time.Location) {
	p := &pages{d, m, zone}
	m.Nav(web.StaffArea, web.NavItem{Text: "Messages", Href: "/staff/messages", Action: "message.read", Order: 70})
	m.Handle("GET /staff/messages", "message.read", p.list)
	m.Handle("GET /staff/messages/{id}", "message.read", p.show)
	m.Handle("POST /staff/messages/{id}/again", "message.send", p.again)
	m.Handle("POST /v1/notify/callback", "notify.callback", d.callback)
}

type pages struct {
	d    *Desk
	m    *web.Mux
	zone *time.Location
}

// callback takes what Notify says of a message. It is answered 200 also for a
// message that is not ours, or Notify would tell of it again and again.
func (d *Desk) callback(w http.ResponseWriter, r *http.Request) error {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	given, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(d.o.CallbackToken))
	if !ok || d.o.CallbackToken == "" || subtle.ConstantTimeCompare(given[:], want[:]) != 1 {
		return reeve.E(reeve.Unauthenticated, "services.notify.callback", "the bearer token is not the one set up for call-backs")
	}
	var said struct {
		ID        string  `json:"id"`
		Reference *string `json:"reference"`
		Status    string  `json:"status"`
	}
	if err := json.NewDecoder(r.Body).Decode(&said); err != nil || said.ID == "" {
		return reeve.E(reeve.Invalid, "services.notify.callback", "it is not a call-back of Notify: it has id, reference and status")
	}
	id := ""
	err := d.o.DB.View(r.Context(), func(tx *store.Tx) error {
		m, found, err := byRemote(tx, said.ID)
		if err != nil {
			return err
		}
		if !found && said.Reference != nil { // told before the answer to our request arrived
			m, err = get(tx, *said.Reference)
			if reeve.KindOf(err) == reeve.NotFound {
				return nil
			}
		}
		id = m.ID
		return err
	})
	if err != nil {
		return err
	}
	if id != "" {
		if err := d.learn(r.Context(), id, stateOf(said.Status)); err != nil {
			return err
		}
	}
	return web.JSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (p *pages) list(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	v := listView{State: q.Get("state")}
	before, _ := strconv.ParseInt(q.Get("before"), 10, 64)
	err := p.d.o.DB.View(r.Context(), func(tx *store.Tx) error {
		ms, err := latest(tx, v.State, before, perPage+1)
		if err != nil {
			return err
		}
		if len(ms) > perPage {
			ms = ms[:perPage]
			v.Older = "/staff/messages?" + url.Values{"state": {v.State}, "before": {fmt.Sprint(ms[perPage-1].N)}}.Encode()
		}
		for _, m := range ms {
			v.Rows = append(v.Rows, []ui.Cell{
				ui.CellHTML(messageLink(m.ID, p.name(m.Template))), {Text: channelText(m.Channel)},
				{Text: ui.TimeText(m.Created.In(p.zone))}, ui.CellHTML(stateTag(m.State)), {Text: m.Reason},
			})
		}
		v.Stats, err = p.d.Stats(tx)
		return err
	})
	if err != nil {
		return err
	}
	return p.m.Render(w, r, web.Page{Title: "Messages", Wide: true}, listPage(v))
}

// Stats are the figures of messages: to send, accepted, delivered and failed.
func (d *Desk) Stats(tx *store.Tx) ([]ui.Stat, error) {
	n, err := counts(tx)
	if err != nil {
		return nil, err
	}
	failed := n[PermanentFailure] + n[TemporaryFailure] + n[TechnicalFailure]
	tone := ui.Tone("")
	if failed > 0 {
		tone = ui.Bad
	}
	stat := func(label, state string, n int, tone ui.Tone) ui.Stat {
		return ui.Stat{Label: label, Value: strconv.Itoa(n), Href: "/staff/messages?state=" + state, Tone: tone}
	}
	return []ui.Stat{
		stat("to be sent", Queued, n[Queued]+n[Sending], ""), stat("accepted", Accepted, n[Accepted], ""),
		stat("delivered", Delivered, n[Delivered], ""), stat("failed", TechnicalFailure, failed, tone),
		stat("cancelled", Cancelled, n[Cancelled], ""),
	}, nil
}

func (p *pages) show(w http.ResponseWriter, r *http.Request) error {
	var v messageView
	err := p.d.o.DB.Update(r.Context(), func(tx *store.Tx) error { // to look is to leave a trace
		m, err := get(tx, r.PathValue("id"))
		if err != nil {
			return err
		}
		v = messageView{Message: m, Name: p.name(m.Template)}
		if v.Text, v.Kept, err = p.d.open(m); err != nil {
			return err
		}
		return p.d.note(tx, web.Actor(r.Context()).ID, "saw", m)
	})
	if err != nil {
		return err
	}
	v.Summary = []ui.SummaryRow{ui.Row("Sent by", channelText(v.Channel)), ui.Row("Written", ui.TimeText(v.Created.In(p.zone))), ui.Row("Last change", ui.TimeText(v.Changed.In(p.zone)))}
	if v.Kept && v.Text.To != "" {
		v.Summary = append(v.Summary, ui.Row("To", strings.ReplaceAll(v.Text.To, "\n", ", ")))
	}
	if v.Reason != "" {
		v.Summary = append(v.Summary, ui.Row("Why", v.Reason))
	}
	if v.Tries > 1 {
		v.Summary = append(v.Summary, ui.Row("Attempts", strconv.Itoa(v.Tries)))
	}
	v.Again = v.Kept && v.Text.To != "" && (v.State == TechnicalFailure || v.State == TemporaryFailure) && p.m.Decide(r.Context(), policy.Request{Action: "message.send"}) == nil
	return p.m.Render(w, r, web.Page{Title: v.Name, Back: "/staff/messages"}, messagePage(v))
}

func (p *pages) again(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	err := p.d.o.DB.Update(r.Context(), func(tx *store.Tx) error { return p.d.again(tx, web.Actor(r.Context()).ID, id) })
	if err != nil {
		return err
	}
	p.m.Flash(w, "The message is sent again.")
	return web.Redirect(w, r, "/staff/messages/"+id)
}

func (p *pages) name(template string) string {
	if t, ok := def.Get[TemplateSpec](p.d.defs.Load(), template); ok {
		return t.Name
	}
	return template
}

// ownLink is a link by which only the person it was sent to may act.
var ownLink = regexp.MustCompile(`(/opt-out/)[A-Za-z0-9_-]+`)

// paragraphs are the lines of a text, by paragraph, without the keys in links.
func paragraphs(body string) (all [][]string) {
	body = ownLink.ReplaceAllString(body, "${1}(their own link)")
	for p := range strings.SplitSeq(strings.TrimSpace(body), "\n\n") {
		all = append(all, strings.Split(strings.TrimSpace(p), "\n"))
	}
	return all
}

func channelText(channel string) string {
	return map[string]string{"email": "Email", "sms": "Text message", "letter": "Letter"}[channel]
}

var stateWords = []struct {
	state, text string
	tone        ui.Tone
}{
	{Queued, "To be sent", ui.Info}, {Sending, "Being sent", ui.Info}, {Accepted, "Accepted", ui.Waiting}, {Delivered, "Delivered", ui.Good},
	{PermanentFailure, "No such address", ui.Bad}, {TemporaryFailure, "Could not be reached", ui.Bad}, {TechnicalFailure, "Failed", ui.Bad}, {Cancelled, "Cancelled", ui.Quiet},
}

func stateText(state string) string {
	for _, w := range stateWords {
		if w.state == state {
			return w.text
		}
	}
	return state
}

func stateTone(state string) ui.Tone {
	for _, w := range stateWords {
		if w.state == state {
			return w.tone
		}
	}
	return ui.Quiet
}

func stateItems() []ui.SelectItem {
	items := []ui.SelectItem{{Value: "", Text: "All messages"}}
	for _, w := range stateWords {
		items = append(items, ui.SelectItem{Value: w.state, Text: w.text})
	}
	return items
}
