package sim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// NotifyKey is the API key that the simulated Notify knows: a name, the id of the
// service and the secret, as the real one writes them.
const NotifyKey = "demo-5f3b7c52-9d0e-4a8c-8a52-3f6f0c7a1d11-0d6e2a94-7a41-4f0b-9d1f-1c2b3a4d5e6f"

// Message is one message that Notify has taken.
type Message struct {
	Channel         string         `json:"channel"`
	To              string         `json:"to"`
	Template        string         `json:"template"`
	Reference       string         `json:"reference"`
	Personalisation map[string]any `json:"personalisation"`
}

// notify speaks as much of the GOV.UK Notify REST API as its clients need
// (https://docs.notifications.service.gov.uk/rest-api.html): it takes a message,
// finds messages by reference, and tells the status of one. Like the real one it
// does not recognise a repeat. One time in fifteen it takes a message and dies
// before it answers; an address that begins with gone@ never arrives; every other
// message is delivered when its status is asked for the second time.
type notify struct {
	l *ledger
	o Options

	mu    sync.Mutex
	taken map[string]Message // by id
	asked map[string]int
	order []string
}

func govukNotify(l *ledger, o Options) http.Handler {
	n := &notify{l: l, o: o, taken: map[string]Message{}, asked: map[string]int{}}
	for _, item := range l.received() { // of an earlier run
		var m struct {
			Message
			ID string `json:"id"`
		}
		if json.Unmarshal(item, &m) == nil {
			n.taken[m.ID], n.order = m.Message, append(n.order, m.ID)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v2/notifications/{channel}", n.take)
	mux.HandleFunc("GET /v2/notifications", n.find)
	mux.HandleFunc("GET /v2/notifications/{id}", n.status)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !signed(r.Header.Get("Authorization")) {
			n.refuse(w, http.StatusForbidden, "AuthError", "Invalid token: signature, api token not found")
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (n *notify) take(w http.ResponseWriter, r *http.Request) {
	count := n.l.saw("request")
	raw, digest, err := body(r)
	var in struct {
		TemplateID      string         `json:"template_id"`
		Reference       string         `json:"reference"`
		Email           string         `json:"email_address"`
		Phone           string         `json:"phone_number"`
		Personalisation map[string]any `json:"personalisation"`
	}
	if err != nil || json.Unmarshal(raw, &in) != nil || in.TemplateID == "" {
		n.refuse(w, http.StatusBadRequest, "ValidationError", "template_id is a required property")
		return
	}
	m := Message{Channel: r.PathValue("channel"), Template: in.TemplateID, Reference: in.Reference, Personalisation: in.Personalisation}
	switch m.Channel {
	case "email":
		m.To = in.Email
	case "sms":
		m.To = in.Phone
	case "letter":
		m.To = fmt.Sprint(in.Personalisation["address_line_1"])
	}
	if m.To == "" || m.Channel == "email" && !strings.Contains(m.To, "@") {
		n.refuse(w, http.StatusBadRequest, "ValidationError", "email_address Not a valid email address")
		return
	}
	id := uuid(fmt.Sprintf("%d %s", count, digest))
	item, err := json.Marshal(struct {
		Message
		ID string `json:"id"`
	}{m, id})
	if err != nil {
		n.refuse(w, http.StatusBadRequest, "ValidationError", "the message cannot be written down")
		return
	}
	n.l.take(id, digest, item)
	n.mu.Lock()
	n.taken[id], n.order = m, append(n.order, id)
	n.mu.Unlock()
	if chance(n.o, count, 15) {
		n.l.saw("died")
		panic(http.ErrAbortHandler)
	}
	answer(w, http.StatusCreated, n.notification(id, m, "created"))
}

func (n *notify) find(w http.ResponseWriter, r *http.Request) {
	n.l.saw("request")
	n.mu.Lock()
	defer n.mu.Unlock()
	found := []any{}
	for _, id := range n.order {
		m := n.taken[id]
		if ref := r.URL.Query().Get("reference"); ref != "" && ref != m.Reference {
			continue
		}
		if typ := r.URL.Query().Get("template_type"); typ != "" && typ != m.Channel {
			continue
		}
		if found = append(found, n.notification(id, m, n.stateLocked(id, m))); len(found) == 250 {
			break
		}
	}
	answer(w, http.StatusOK, map[string]any{"notifications": found, "links": map[string]string{}})
}

func (n *notify) status(w http.ResponseWriter, r *http.Request) {
	n.l.saw("request")
	n.mu.Lock()
	defer n.mu.Unlock()
	id := r.PathValue("id")
	m, ok := n.taken[id]
	if !ok {
		n.refuse(w, http.StatusNotFound, "NoResultFound", "No result found")
		return
	}
	n.asked[id]++
	answer(w, http.StatusOK, n.notification(id, m, n.stateLocked(id, m)))
}

func (n *notify) stateLocked(id string, m Message) string {
	switch {
	case n.asked[id] < 2 && !n.o.Calm:
		return "sending"
	case strings.HasPrefix(m.To, "gone@"):
		return "permanent-failure"
	}
	return "delivered"
}

func (n *notify) notification(id string, m Message, status string) map[string]any {
	return map[string]any{
		"id": id, "reference": m.Reference, "type": m.Channel, "status": status,
		"template": map[string]any{"id": m.Template, "version": 1},
	}
}

func (n *notify) refuse(w http.ResponseWriter, code int, kind, message string) {
	n.l.saw("refused")
	answer(w, code, map[string]any{"status_code": code, "errors": []map[string]string{{"error": kind, "message": message}}})
}

// signed checks the JWT of a request: HS256 with the secret, iss the service. The
// real Notify looks at iat too; the demo's clock may be anything.
func signed(header string) bool {
	token, ok := strings.CutPrefix(header, "Bearer ")
	parts := strings.Split(token, ".")
	if !ok || len(parts) != 3 {
		return false
	}
	secret, service := NotifyKey[len(NotifyKey)-36:], NotifyKey[len(NotifyKey)-73:len(NotifyKey)-37]
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(parts[0] + "." + parts[1]))
	sum, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !hmac.Equal(sum, mac.Sum(nil)) {
		return false
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	var c struct {
		Issuer string `json:"iss"`
	}
	return err == nil && json.Unmarshal(claims, &c) == nil && c.Issuer == service
}

// uuid makes an id that looks as Notify's do, always the same for the same text.
func uuid(text string) string {
	s := sha256.Sum256([]byte(text))
	s[6], s[8] = s[6]&0x0f|0x40, s[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", s[:4], s[4:6], s[6:8], s[8:10], s[10:16])
}
